"""A classifier answers from its examples alone, and the same after it was kept as data."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy import (
    LRD2,
    MAML,
    MLP,
    R2D2,
    Baseline,
    ClassDataset,
    Classifier,
    Conv4,
    CosineBaseline,
    InContext,
    Matching,
    MetaOptNet,
    NearestPixels,
    Prototypical,
    Relation,
    Reptile,
    Siamese,
    SimpleShot,
)
from quickstudy.classify.check import report_of
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Item
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table
from quickstudy.learners import LEARNERS as LEARNERS_BY_NAME
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.nets import Identity
from quickstudy.tasks.glyphs import draw_glyphs
from tests.each import each_learner
from tests.seen import seen

LEARNERS = {
    "maml": lambda net: MAML(net, 3, inner_lr=0.1, test_steps=2),
    "maml-transductive": lambda net: MAML(net, 3, inner_lr=0.1, transductive=True),
    "reptile": lambda net: Reptile(net, 3, inner_lr=0.01, test_steps=3),
    "siamese": Siamese,
    "matching": Matching,
    "matching-context": lambda net: Matching(net, full_context=True, attention_steps=2),
    "prototypical": Prototypical,
    "relation": Relation,
    "r2d2": R2D2,
    "lrd2": LRD2,
    "metaoptnet": MetaOptNet,
    "in-context": InContext,
    "baseline": lambda net: Baseline(net, n_classes=64, head_steps=5),
    "cosine-baseline": lambda net: CosineBaseline(net, n_classes=64, head_steps=5),
    "simple-shot": lambda net: SimpleShot(net, n_classes=64),
    "nearest-pixels": lambda net: NearestPixels(),
}
every_learner = pytest.mark.parametrize("learner", each_learner(LEARNERS), indirect=True)
ORDINARY = settings(max_examples=20, deadline=None)

IMAGES = Images()
GLYPHS = draw_glyphs(range(6), 6)
SHOTS = (1, 4, 2)
NAMES = ("zebra", "äpfel", "β 2")
FOR_SHOTS = [6 * c + i for c, n in enumerate(SHOTS) for i in range(n)]
LABELS = [NAMES[c] for c, n in enumerate(SHOTS) for _ in range(n)]
DATA = ClassDataset.from_labels(GLYPHS.x[FOR_SHOTS], LABELS)
QUERIES = GLYPHS.x[[5, 11, 17, 16, 10, 4]]


@pytest.fixture
def learner(request):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        net = seen(Conv4(width=8))
        net.norms[0].mean.fill_(0.1)
        return LEARNERS[request.param](net)


def vectors(seed=0):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Prototypical(MLP(2, (8,)))


@every_learner
def test_unequal_shots_and_words_for_labels(learner):
    classifier = Classifier(learner, IMAGES, DATA)
    probabilities = classifier.predict_proba(QUERIES)
    assert classifier.labels == tuple(sorted(NAMES))
    assert probabilities.shape == (6, 3)
    assert (probabilities >= 0).all()
    assert np.allclose(probabilities.sum(1), 1, atol=1e-12)
    assert classifier.predict(QUERIES) == [classifier.labels[i] for i in probabilities.argmax(1)]


@every_learner
def test_a_kept_classifier_answers_the_same(learner, tmp_path):
    classifier = Classifier(learner, IMAGES, DATA)
    classifier.save(tmp_path / "kept")
    again = Classifier.load(tmp_path / "kept")
    assert np.array_equal(again.predict_proba(QUERIES), classifier.predict_proba(QUERIES))
    assert (again.labels, again.inputs) == (classifier.labels, IMAGES)
    assert {path.suffix for path in (tmp_path / "kept").iterdir()} == {".json", ".safetensors"}
    assert [item.name for item in again.items] == [item.name for item in classifier.items]


@every_learner
def test_the_order_of_examples_does_not_matter(learner):
    order = np.random.default_rng(0).permutation(len(LABELS))
    shuffled = ClassDataset.from_labels(GLYPHS.x[FOR_SHOTS][order], [LABELS[i] for i in order])
    one, other = (Classifier(learner, IMAGES, data).predict_proba(QUERIES) for data in (DATA, shuffled))
    assert np.allclose(one, other, atol=1e-4)


@every_learner
def test_an_answer_does_not_depend_on_the_other_queries_but_where_transductive(learner):
    classifier = Classifier(learner, IMAGES, DATA)
    alone = np.concatenate([classifier.predict_proba(QUERIES[i : i + 1]) for i in range(len(QUERIES))])
    assert np.allclose(alone, classifier.predict_proba(QUERIES), atol=1e-5) != learner.transductive


@every_learner
@pytest.mark.parametrize("n", [2, 5])
def test_fewer_and_more_classes_than_in_training(learner, n):
    classifier = Classifier(learner, IMAGES, GLYPHS.select(range(n)))
    probabilities = classifier.predict_proba(GLYPHS.x[: 6 * n])
    assert probabilities.shape == (6 * n, n)
    assert np.isfinite(probabilities).all()


@pytest.mark.parametrize("learner", ["siamese", "matching", "prototypical"], indirect=True)
def test_what_compares_knows_the_examples_it_was_shown(learner):
    classifier = Classifier(learner, IMAGES, ClassDataset(GLYPHS.x[[0, 6]], torch.tensor([0, 1]), ("b", "a")))
    assert classifier.predict(GLYPHS.x[[6, 0, 0]]) == ["a", "b", "b"]


@every_learner
def test_the_learner_is_left_as_it_is_and_may_go_on_learning(learner):
    learner.train()
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    classifier = Classifier(learner, IMAGES, DATA)
    answers = classifier.predict_proba(QUERIES)
    assert learner.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in learner.state_dict().items())
    for parameter in learner.parameters():
        parameter.data.add_(1)
    assert np.array_equal(classifier.predict_proba(QUERIES), answers)


@pytest.mark.parametrize("kind", [np.uint8, np.float16, np.float32, np.float64])
def test_images_are_taken_in_any_kind_of_number(kind):
    x = QUERIES.numpy() if kind is np.uint8 else (QUERIES.numpy() / 255).astype(kind)
    classifier = Classifier(Prototypical(seen(Conv4(width=4))), IMAGES, DATA)
    assert np.allclose(classifier.predict_proba(x), classifier.predict_proba(QUERIES), atol=1e-2)


@given(st.data())
@ORDINARY
def test_any_labels_of_any_vectors(data):
    labels = data.draw(st.lists(st.integers(-3, 3), min_size=2, max_size=9).filter(lambda some: len(set(some)) > 1))
    x = np.random.default_rng(0).normal(size=(len(labels), 2))
    classifier = Classifier(vectors(), Arrays((2,)), ClassDataset.from_labels(x, labels))
    assert set(classifier.predict(x)) <= {str(label) for label in labels}
    assert np.allclose(classifier.predict_proba(x).sum(1), 1)


def refusal(call) -> str:
    with pytest.raises(DataError) as caught:
        call()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_one_class_is_no_choice():
    assert "at least two classes" in refusal(lambda: Classifier(vectors(), IMAGES, DATA.select([0])))


@pytest.mark.parametrize("shape", [(3, 2, 20, 20), (3, 784), (28, 28), ()])
def test_images_of_another_shape_are_refused(shape):
    classifier = Classifier(Prototypical(seen(Conv4(width=4))), IMAGES, DATA)
    with pytest.raises(DataError, match=r"is given, but a list of images is needed|is an array of shape"):
        classifier.predict(np.zeros(shape))
    if len(shape) > 1:
        data = ClassDataset.from_labels(np.zeros((4, *shape[1:])), list("aabb"))
        assert "the learner takes (1, 28, 28)" in refusal(
            lambda: Classifier(Prototypical(seen(Conv4(width=4))), IMAGES, data)
        )


@pytest.mark.parametrize("shape", [(2, 60, 60), (2, 60, 60, 3), (2, 3, 60, 60), (2, 28, 28), (2, 1, 60, 60)])
def test_pictures_of_any_size_are_brought_to_the_learners(shape):
    """As files are: an array is a picture, and only what has the learner's shape is taken as it is."""
    few = Classifier(Prototypical(seen(Conv4(width=4))), IMAGES, DATA)
    assert few.predict_proba(np.zeros(shape, np.uint8)).shape == (2, 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity_are_refused_by_row(bad):
    classifier = Classifier(vectors(), Arrays((2,)), ClassDataset.from_labels(np.eye(2), ["a", "b"]))
    x = np.zeros((4, 2))
    x[2, 1] = bad
    assert "array 3 holds NaN or infinity" in refusal(lambda: classifier.predict(x))
    assert "row 2 (class 'b') holds NaN" in refusal(lambda: ClassDataset.from_labels(x, list("aabb")))


def config(**changes):
    def damage(folder):
        there = json.loads((folder / "config.json").read_text()) | changes
        (folder / "config.json").write_text(json.dumps({k: v for k, v in there.items() if v is not None}))

    return damage


def support(change):
    def damage(folder):
        there = (folder / "support.safetensors").read_bytes()
        (folder / "support.safetensors").write_bytes(change(there, (folder / "model.safetensors").read_bytes()))

    return damage


@pytest.mark.parametrize(
    "damage",
    [
        config(n_labels=None),
        config(n_labels=1),
        config(n_labels=3),
        config(n_labels="two"),
        lambda folder: (folder / "labels.safetensors").unlink(),
        config(inputs={"name": "images", "channels": 7}),
        config(inputs={"name": "arrays", "side": 28}),
        support(lambda own, weights: own[:-3]),
        support(lambda own, weights: weights),
        support(lambda own, weights: b""),
        lambda folder: (folder / "support.safetensors").unlink(),
    ],
)
def test_a_damaged_classifier_is_one_line(tmp_path, damage):
    Classifier(vectors(), Arrays((2,)), ClassDataset.from_labels(np.eye(2), ["a", "b"])).save(tmp_path)
    damage(tmp_path)
    with pytest.raises(ModelError) as caught:
        Classifier.load(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reading_half_of_the_answers_leaves_gradients_on():
    classifier = Classifier(vectors(), Arrays((2,)), ClassDataset.from_labels(np.eye(2), ["a", "b"]))
    answers = classifier.answer(np.zeros((3, 2)))
    next(answers)
    assert torch.is_grad_enabled()


def test_raw_pictures_in_a_data_set_are_encoded_and_answered_as_files_are(tmp_path):
    """Dark ink on light paper in arrays of the net's size; once they were taken for encoded drawings."""
    encoded = draw_glyphs(range(4), 4)
    raw = replace(encoded, x=255 - encoded.x)
    torch.manual_seed(0)
    learner = Prototypical(seen(Conv4(width=4), encoded.x / 255)).eval()
    by_raw, by_encoded = (Classifier(learner, Images(), data) for data in (raw, encoded))
    assert torch.equal(by_raw.data.x, by_raw.inputs.encode([Item("a", x) for x in raw.x]))
    expected = by_encoded.predict_proba(encoded.x)
    for x in (raw.x, raw.x / 255, raw.x.long(), encoded.x, encoded.x / 255, list(raw.x), encoded.x.numpy()):
        np.testing.assert_allclose(by_raw.predict_proba(x), by_encoded.predict_proba(x), atol=0.02)
        np.testing.assert_allclose(by_encoded.predict_proba(x), expected, atol=0.02)
    by_raw.save(tmp_path / "mine")
    again = Classifier.load(tmp_path / "mine")
    np.testing.assert_array_equal(again.predict_proba(raw.x), by_raw.predict_proba(raw.x))
    assert len(by_raw.extend(raw).items) == 32


def test_a_classifier_of_raw_arrays_keeps_to_raw_arrays():
    """As one of an earlier version: its examples have items, so they are not encoded again."""
    raw = draw_glyphs(range(3), 4)
    raw = replace(raw, x=255 - raw.x, items=tuple(Item(str(i), x) for i, x in enumerate(raw.x)))
    torch.manual_seed(0)
    few = Classifier(Prototypical(seen(Conv4(width=4), raw.x / 255)).eval(), Images(), raw)
    own = (few.learner.adapt(few.support)(raw.x / 255) / few.scale).softmax(-1)
    np.testing.assert_allclose(few.predict_proba(raw.x), own.detach().numpy(), atol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name in LEARNERS_BY_NAME if issubclass(LEARNERS_BY_NAME[name], TransductiveLearner)]
)
def test_inputs_are_answered_together_and_no_example_is_judged_alone(name, tmp_path):
    x = torch.tensor([[0.0, 1.0], [0.1, 1.0], [1.0, 0.0], [1.0, 0.2]])
    data = ClassDataset.from_labels(x, ["a", "a", "b", "b"])
    classifier = Classifier(LEARNERS_BY_NAME[name](Identity(2)), Arrays((2,)), data)
    queries = torch.tensor([[0.0, 0.9], [0.9, 0.0], [0.1, 0.8], [0.8, 0.1]])
    assert [answer.label for answer in classifier.answer(queries)] == ["a", "b", "a", "b"]
    assert classifier.separation is None
    report = report_of(classifier)
    assert (report.suspects, report.confusable) == ([], [])
    classifier.save(tmp_path / "saved")
    again = Classifier.load(tmp_path / "saved")
    assert np.array_equal(again.predict_proba(queries), classifier.predict_proba(queries))
    with pytest.raises(SettingError, match="answers inputs together"):
        list(classifier.answer(queries, coverage=0.5))


def test_a_row_of_nan_is_skipped_from_a_file_too(tmp_path):
    corners = ClassDataset.from_labels(torch.tensor([[0.0, 1.0], [5.0, 0.0]]), ["a", "b"])
    classifier = Classifier(Prototypical(Identity(2)), Arrays((2,)), corners)
    x = np.array([[5, 0], [np.nan, 0], [0, 1]], np.float32)
    np.save(tmp_path / "x.npy", x)
    for things, name in ([tmp_path / "x.npy"], f"{tmp_path / 'x.npy'} row 2"), (x, "array 2"):
        errors: list[DataError] = []
        answers = classifier.answer(things, skip=errors.append)
        assert [answer.label for answer in answers] == ["b", "a"]
        assert [str(error) for error in errors] == [f"{name} holds NaN or infinity; clean it or drop it"]
        with pytest.raises(DataError, match="row 2 holds NaN" if name != "array 2" else "array 2 holds NaN"):
            classifier.predict(things)
    with pytest.raises(DataError, match="mine holds NaN"):
        list(classifier.answer(x, names=["yours", "mine", "theirs"]))


def test_a_frame_gets_one_answer_per_row_or_is_refused():
    pandas = pytest.importorskip("pandas")
    df = pandas.DataFrame({"width": [0.0, 1.0, 10.0, 11.0]})
    by_rows = Classifier(
        Prototypical(Identity(1)),
        Table({"width": [5.0, 5.0]}, {}),
        ClassDataset.from_labels(torch.tensor([[-1.0], [1.0]]), ["small", "large"]),
    )
    assert by_rows.predict(df) == by_rows.predict(df.to_dict("records")) == ["small", "small", "large", "large"]
    of_sentences = Classifier(
        Prototypical(Identity(384)), Sentences(), ClassDataset.from_labels(torch.eye(384)[:2], ["a", "b"])
    )
    with pytest.raises(DataError, match=r'^a DataFrame is given, but a list of texts is needed; .* df\["text"\]$'):
        of_sentences.predict(pandas.DataFrame({"text": ["hello", "bye", "see you"]}))
