"""An explanation is the classifier's own arithmetic: shares sum, and what is left out is really left out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.nn import functional as F

from quickstudy import ClassDataset, Classifier, Conv4, Episodes, Prototypical, explain, load
from quickstudy.classify.confidence import Confidence
from quickstudy.classify.explanation import pixels
from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Item
from quickstudy.inputs.encoders import ENCODERS
from quickstudy.inputs.images import Images
from quickstudy.inputs.photo_encoder import PhotoEncoder
from quickstudy.inputs.photos import Photos
from quickstudy.learners import LEARNERS, R2D2, Matching, Siamese
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.models.build import build
from quickstudy.nets import Identity
from quickstudy.tasks.glyphs import draw_glyphs
from tests.each import each_learner
from tests.seen import seen

EXACT = {"prototypical", "matching", "siamese"}
IMAGES, GLYPHS = Images(size=16), draw_glyphs(range(3), 4, size=16)
PLAIN = Confidence(1.0, (0.0,) * 99, (0.0,) * 99, 3, 1)  # the same temperature with and without an example


def classifier(name, data=GLYPHS):
    torch.manual_seed(0)
    learner = LEARNERS[name]
    arguments = learner.__init__.__code__.co_varnames
    config = {"name": name}
    config |= {"net": {"name": "conv4", "size": 16, "width": 4}} if "net" in arguments else {"size": 16, "channels": 1}
    config |= {"n_way": 3} if "n_way" in arguments else {}
    config |= {"n_classes": 5} if "n_classes" in arguments else {}
    config |= {"test_steps": 2} if "test_steps" in arguments else {}
    return Classifier(seen(build(config)).double(), IMAGES, data, PLAIN)


TOGETHER = [name for name in LEARNERS if issubclass(LEARNERS[name], TransductiveLearner)]


@pytest.mark.parametrize("name", TOGETHER)
def test_one_input_has_no_explanation_where_inputs_are_answered_together(name):
    with pytest.raises(SettingError, match="has no answer for one alone"):
        explain(classifier(name), GLYPHS.x[0])


@pytest.mark.parametrize("name", each_learner(name for name in LEARNERS if name not in TOGETHER))
def test_influence_is_learning_again_without_the_example(name):
    few, x = classifier(name), draw_glyphs([1], 6, size=16).x[5]
    why = explain(few, x)
    whole = few.predict_proba(x[None])[0]
    np.testing.assert_allclose(why.probabilities, whole)
    for i in (0, 5, 11):
        keep = torch.arange(12) != i
        again = Classifier(few.learner, few.inputs, ClassDataset(GLYPHS.x[keep], GLYPHS.y[keep], GLYPHS.names), PLAIN)
        less = again.predict_proba(x[None])[0]
        assert why.influence[i] == pytest.approx(whole.max() - less[whole.argmax()], abs=1e-9)
        assert why.without[i] == GLYPHS.names[less.argmax()]
    assert (why.contributions is not None) == (name in EXACT)


@pytest.mark.parametrize("name", ["prototypical", "r2d2"])
def test_influence_of_an_example_with_copies_is_that_of_one_of_them(name):
    rows = torch.tensor([0, 0, 0, *range(12)])  # example 0 four times
    many = GLYPHS.x[rows], GLYPHS.y[rows]
    confidence = Confidence(1.0, *[(0.0,) * 99] * 2, 3, 1, LEARNERS[name].rise)
    few, x = classifier(name, ClassDataset(*many, GLYPHS.names)), draw_glyphs([1], 6, size=16).x[5]
    few.confidence = confidence
    why, whole = explain(few, x), few.predict_proba(x[None])[0]
    for i in (0, 5, 14):
        keep = torch.arange(len(rows)) != i
        data = ClassDataset(*(part[keep] for part in many), GLYPHS.names)
        less = Classifier(few.learner, few.inputs, data, confidence).predict_proba(x[None])[0]
        assert why.influence[i] == pytest.approx(whole.max() - less[whole.argmax()], abs=1e-9)


@pytest.mark.parametrize("name", sorted(EXACT))
def test_contributions_sum_to_the_scores(name):
    few, x = classifier(name), draw_glyphs([1], 6, size=16).x[5]
    why = explain(few, x)
    logits = few.learner.adapt(few.support)(few.taken(x[None]))[0].detach().numpy()
    scores = np.exp(logits) if name == "matching" else logits
    summed = np.array([why.contributions[GLYPHS.y.numpy() == c].sum() for c in range(3)])
    np.testing.assert_allclose(summed, scores, rtol=1e-9)
    np.testing.assert_allclose(why.scores, scores, rtol=1e-9)


class Cosine(Prototypical):
    def comparison(self, support):
        means = F.normalize(support.y.T @ support.x / support.y.sum(0)[:, None], dim=-1)
        return lambda query: 10 * F.normalize(query, dim=-1) @ means.T


class Halved(Prototypical):
    def adapt(self, support):
        predict = super().adapt(support)
        return lambda x: predict(x) / 2


@pytest.mark.parametrize("learner", [Cosine, Halved])
def test_there_are_no_contributions_where_another_score_was_not_shown_to_be_a_sum(learner):
    few = Classifier(
        learner(Identity(256)).double(), Arrays((256,)), ClassDataset(GLYPHS.x.flatten(1), GLYPHS.y, GLYPHS.names)
    )
    why = explain(few, GLYPHS.x[0].flatten())
    assert why.contributions is why.scores is None


@pytest.mark.parametrize("learner", [Prototypical, Matching, Siamese])
def test_order_of_the_examples_does_not_matter(learner):
    torch.manual_seed(0)
    net, x = seen(Conv4(size=16, width=4)), draw_glyphs([2], 6, size=16).x[5]
    order = torch.tensor([3, 1, 0, 2, 5, 4, 7, 6, 8, 11, 10, 9])
    torch.manual_seed(0)
    one = learner(net).double()
    a = explain(Classifier(one, IMAGES, GLYPHS), x)
    b = explain(Classifier(one, IMAGES, ClassDataset(GLYPHS.x[order], GLYPHS.y, GLYPHS.names)), x)
    for name in ("influence", "contributions", "distances"):
        np.testing.assert_allclose(getattr(b, name), getattr(a, name)[order.numpy()], atol=1e-9)


def test_leaving_out_the_most_misleading_example_makes_the_answer_surer():
    learner = load("glyphs-proto")
    data = draw_glyphs(range(950_000, 950_004), 6)
    y = data.y.clone()
    shown = torch.arange(len(y)) % 6 < 5
    names = [data.names[c] for c in y[shown].tolist()]
    names[0] = data.names[1]  # a drawing of the first class, labelled as the second
    few = Classifier(learner, Images(), ClassDataset.from_labels(data.x[shown], names))
    why = explain(few, data.x[5])  # of the first class
    assert why.label == data.names[0]
    worst = int(why.misleading[0])
    assert torch.equal(few.data.x[worst], data.x[0])
    keep = torch.arange(len(few.data.x)) != worst
    surer = Classifier(learner, Images(), ClassDataset(few.data.x[keep], few.data.y[keep], few.labels))
    assert surer.predict_proba(data.x[5:6]).max() > why.probabilities.max()


def test_gradient_learners_show_their_steps():
    why = explain(classifier("maml"), GLYPHS.x[0])
    assert why.descent.shape == (3, 2)
    assert why.descent[-1, 1] == pytest.approx(why.probabilities.max())
    assert why.descent[-1, 0] < why.descent[0, 0]
    assert explain(classifier("prototypical"), GLYPHS.x[0]).descent is None


@pytest.mark.slow
@pytest.mark.parametrize("method", ["occlusion", "integrated-gradients"])
def test_pixels_that_mattered_hurt_more_than_others(method):
    learner, losses = load("glyphs-proto"), []
    tasks = Episodes(draw_glyphs(range(950_000, 950_040), 6), 5, 1, 1, split="test")
    rng = np.random.default_rng(0)
    for step in range(12):
        task = tasks.sample(step, 1).at(0)
        few = Classifier(learner, Images(), ClassDataset(task.support.x, torch.arange(5), tuple("abcde")))
        x = task.query.x[0]
        heat = pixels(few, x, method)
        assert heat.shape == (28, 28)
        ink = np.flatnonzero(x.numpy().ravel() > 0.1)
        n = len(ink) // 4
        top, some = ink[heat.ravel()[ink].argsort()[-n:]], rng.choice(ink, n, replace=False)
        best = few.predict_proba(x[None])[0].argmax()
        left = []
        for rows in (top, some):
            wiped = x.clone().view(-1)
            wiped[rows] = 0
            left.append(few.predict_proba(wiped.view(1, 1, 28, 28))[0][best])
        losses.append(left[1] - left[0])
    assert np.mean(losses) > 0


def test_integrated_gradients_add_up_to_the_log_odds():
    few, x = classifier("prototypical"), GLYPHS.x[0].double() / 255

    def odds(image):
        p = few.predict_proba(image[None])[0]
        best = few.predict_proba(x[None])[0].argmax()
        return np.log(p[best]) - np.log(1 - p[best])

    heat = pixels(few, x, "integrated-gradients")
    scale = 1 + 1 / 4  # of the logits, for four examples per label
    assert heat.sum() == pytest.approx(scale * (odds(x) - odds(torch.zeros_like(x))), rel=0.1)


class Quarters(PhotoEncoder):
    """Mean colours of the four quarters."""

    def __init__(self):
        super().__init__(nn.Sequential(nn.AdaptiveAvgPool2d(2), nn.Flatten()), size=16)


def photographs(*, seed=0):
    """Photographs that are red or blue in their upper left quarter."""
    rng = np.random.default_rng(seed)
    pixels = rng.integers(90, 110, (8, 32, 32, 3), dtype=np.uint8)
    for i, image in enumerate(pixels):
        image[:16, :16, 2 * (i % 2)] += 100
    return [Image.fromarray(image) for image in pixels]


@pytest.mark.parametrize("method", ["occlusion", "integrated-gradients"])
def test_pixels_of_a_photograph_are_those_that_its_encoder_sees(method):
    ENCODERS.register("quarters", Quarters)
    inputs, images = Photos.encoded_by("quarters"), photographs()
    items = [Item(f"image {i}", image) for i, image in enumerate(images)]
    few = Classifier(
        R2D2(Identity(12)), inputs, ClassDataset.from_labels(inputs.encode(items), ["red", "blue"] * 4, items)
    )
    new = photographs(seed=1)[0]
    heat = pixels(few, new, method)
    assert heat.shape == (16, 16)
    corner = np.zeros((16, 16), bool)
    corner[:8, :8] = True
    assert heat[corner].mean() > 5 * np.abs(heat[~corner]).mean()
    if method == "integrated-gradients":
        seen = inputs.seen(Item("new", new))
        predictor = few.learner.adapt(few.support)
        a, b = (predictor(seen.encode(each))[0] for each in (seen.x, seen.ground))
        sign = 1 if few.predict([new]) == [few.labels[0]] else -1
        assert heat.sum() == pytest.approx(sign * float(((a[0] - a[1]) - (b[0] - b[1])).detach()), rel=0.05)


def test_parts_are_what_the_answer_loses_without_them():
    few = classifier("prototypical")
    item = Item("a", Image.fromarray(255 - GLYPHS.x[5, 0].numpy()))
    why = explain(few, item)
    best = few.labels.index(why.label)
    assert len(why.parts) == 49
    for (part, share), (name, rest) in zip(why.parts, IMAGES.parts(item), strict=True):
        assert part == name
        assert share == pytest.approx(why.probabilities[best] - few.predict_proba([rest])[0][best], abs=1e-9)


def test_what_cannot_be_explained_is_told():
    few = classifier("prototypical")
    with pytest.raises(DataError, match=r"^'image 1' is an array of shape"):
        explain(few, np.zeros((2, 20, 20)))
    with pytest.raises(SettingError, match="unknown method 'occlusions': did you mean 'occlusion'"):
        pixels(few, GLYPHS.x[0], "occlusions")
    two = ClassDataset(torch.zeros(1001, 1, 16, 16), (torch.arange(1001) > 500).long(), ("a", "b"))
    with pytest.raises(SettingError, match="MAML would learn again without each of 1001 examples"):
        explain(Classifier(classifier("maml").learner, few.inputs, two), GLYPHS.x[0])


def test_a_comparison_with_thousands_of_examples_is_explained():
    learner = Prototypical(Identity(2))
    x = torch.arange(2400.0).view(1200, 2)
    few = Classifier(learner, Arrays((2,)), ClassDataset(x, torch.arange(1200) // 2, tuple(map(str, range(600)))))
    why = explain(few, x[7])
    assert why.label == "3"
    assert why.influence.argmax() in (6, 7)


def test_the_command_explains_in_words_as_data_and_as_a_page(tmp_path, cli, pictures):
    assert cli("adapt", "glyphs-proto", str(pictures), "-o", str(tmp_path / "few")).code == 0
    image = min(pictures.rglob("*.png"))
    done = cli("explain", str(tmp_path / "few"), str(image), "-o", str(tmp_path / "why.html"), "--pixels", "occlusion")
    assert done.code == 0
    assert done.out.startswith(f"{image}\t")
    assert "<svg" in (tmp_path / "why.html").read_text()
    said = json.loads(cli("explain", str(tmp_path / "few"), str(image), "--json").out)
    assert sum(said["probabilities"]) == pytest.approx(1)
    assert len(said["influence"]) == 15 * 8
    assert cli("explain", str(tmp_path / "few"), str(image), "--pixels", "magic").code == 2
