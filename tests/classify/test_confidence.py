"""Confidence is what it says: probabilities are kept, sets hold the answer as often as asked, strangers are told."""

import json
import math
from pathlib import Path
from statistics import fmean

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_wine
from torch.nn import functional as F

from quickstudy import MAML, ClassDataset, Classifier, Conv4, Episodes, Prototypical, load
from quickstudy.classify.confidence import (
    Confidence,
    answers,
    calibrate,
    calibration_error,
    conformal_quantile,
    fit_temperature,
)
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.images import Images
from quickstudy.learners import TIM
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Identity
from quickstudy.tasks.digits import digits
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.task import Examples, Task
from tests.seen import seen

IMAGES = Images()
RAMP = tuple(i / 100 for i in range(99))


def calibrated(folder):
    return ModelFolder(folder).entry("confidence", Confidence)


@pytest.fixture(scope="module")
def trained():
    return load("glyphs-proto")


@pytest.fixture(scope="module")
def unseen():
    return draw_glyphs(range(950_000, 950_060), 12)


@given(temperature=st.floats(0.05, 20), seed=st.integers(0, 100))
@settings(max_examples=10)
def test_the_temperature_that_was_is_found_again(temperature, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(20_000, 5, generator=generator, dtype=torch.float64)
    right = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    found = fit_temperature(temperature * logits, right)
    assert found == pytest.approx(temperature, rel=0.06)
    around = [F.cross_entropy(temperature * logits / (found * factor), right) for factor in (0.99, 1, 1.01)]
    assert around[1] == min(around)


def test_an_honest_forecaster_has_no_calibration_error_and_a_boaster_has_his_boast():
    generator = torch.Generator().manual_seed(0)
    p = (2 * torch.randn(200_000, 4, generator=generator, dtype=torch.float64)).softmax(-1)
    right = torch.multinomial(p, 1, generator=generator)[:, 0]
    assert calibration_error(p, right) < 0.005
    boast = torch.tensor([[0.9, 0.1]]).repeat(10, 1)
    assert calibration_error(boast, torch.tensor([0] * 6 + [1] * 4)) == pytest.approx(0.3)
    two_bins = torch.tensor([[0.9, 0.1], [0.6, 0.4]])  # |1 - 0.9| / 2 + |0 - 0.6| / 2
    assert calibration_error(two_bins, torch.tensor([0, 1])) == pytest.approx(0.35)


def test_temperature_never_changes_an_answer(trained, unseen):
    data = unseen.select(range(5))
    plain = Classifier(trained, IMAGES, data)
    for temperature in (0.1, 1.0, 30.0):
        cool = Classifier(trained, IMAGES, data, Confidence(temperature, RAMP, RAMP, 5, 1))
        np.testing.assert_array_equal(plain.predict_proba(unseen.x).argmax(1), cool.predict_proba(unseen.x).argmax(1))


def test_logits_are_divided_by_the_temperature_of_the_shots(trained, unseen):
    data = unseen.select(range(5))  # 12 examples of each
    few = Classifier(trained, IMAGES, data, Confidence(2.0, RAMP, RAMP, 5, 1))
    cool = few.predict_proba(unseen.x[:7])
    with torch.no_grad():
        logits = trained.adapt(few.support)(few.taken(unseen.x[:7])).double()
    by_hand = (logits / (2 * (1 + 1 / 12))).softmax(-1).numpy()
    np.testing.assert_allclose(cool, by_hand, atol=1e-9)


@given(coverage=st.integers(5, 95), seed=st.integers(0, 50))
@settings(max_examples=25, deadline=None)
def test_a_set_holds_the_answer_as_often_as_asked_whatever_the_forecaster(coverage, seed):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(40_000, 6, generator=generator, dtype=torch.float64)
    right = torch.multinomial((0.3 * logits).softmax(-1), 1, generator=generator)[:, 0]  # overconfident
    p = logits.softmax(-1)
    misfits = (1 - p.gather(1, right[:, None])[:, 0])[:20_000].sort().values
    quantiles = tuple(float(misfits[min(20_000, math.ceil(q / 100 * 20_001)) - 1]) for q in range(1, 100))
    inside = Confidence(1.0, quantiles, RAMP, 6, 1).members(p[20_000:], coverage / 100)
    reached = inside.gather(1, right[20_000:, None]).double().mean()
    assert reached == pytest.approx(coverage / 100, abs=0.015)


@pytest.mark.slow
def test_sets_are_mapies(trained, unseen):
    mapie = pytest.importorskip("mapie.classification")
    from sklearn.base import BaseEstimator, ClassifierMixin

    tasks = Episodes(unseen, 5, 1, 4, split="validation")
    found = calibrate(trained, tasks, 5, 1, n_tasks=80).confidence
    logits, right = answers(trained, tasks, range(1, 80, 2))
    p = (logits / found.scale(1)).softmax(-1).numpy()

    class Told(ClassifierMixin, BaseEstimator):
        classes_ = np.arange(5)

        def fit(self, X, y):
            return self

        def __sklearn_is_fitted__(self):
            return True

        def predict_proba(self, X):
            return p[X[:, 0].astype(int)]

        def predict(self, X):
            return self.predict_proba(X).argmax(1)

    rows = np.arange(len(p))[:, None]
    theirs = mapie.SplitConformalClassifier(Told(), confidence_level=[0.8, 0.9, 0.97], prefit=True)
    _, sets = theirs.conformalize(rows, right.numpy()).predict_set(rows)
    for i, coverage in enumerate((0.8, 0.9, 0.97)):
        np.testing.assert_array_equal(found.members(torch.tensor(p), coverage).numpy(), sets[:, :, i])


@pytest.mark.slow
def test_promises_are_kept_on_new_tasks(trained, unseen):
    found = calibrate(trained, Episodes(unseen.select(range(30)), 5, 1, 5, split="validation"), 5, 1, n_tasks=300)
    assert found.n_tasks == 150
    assert found.after < 0.03
    other = unseen.select(range(30, 60))
    # Six ways, of which the last is not shown: its queries are strangers.
    logits, right = [], []
    tasks = Episodes(other, 6, 1, 2, split="test")
    with torch.no_grad():
        for step in range(20):
            batch = tasks.sample(step, 20)
            for i in range(20):
                task = batch.at(i)
                known = task.support.y[:, 5] == 0
                support = type(task.support)(task.support.x[known], task.support.y[known, :5])
                logits.append(trained.adapt(support)(task.query.x).double())
                right.append(task.query.y.argmax(-1))
    logits, right = torch.cat(logits), torch.cat(right)
    known = right < 5
    inside = found.confidence.members((logits[known] / found.confidence.scale(1)).softmax(-1), 0.9)
    assert inside.gather(1, right[known, None]).double().mean() == pytest.approx(0.9, abs=0.04)  # 30 classes of each
    strange = found.confidence.strangers(logits, 0.1)
    assert strange[known].double().mean() == pytest.approx(0.1, abs=0.04)
    assert strange[~known].double().mean() > 0.8


def test_confidence_is_kept_with_a_classifier(tmp_path, trained, unseen):
    told = calibrated("glyphs-proto")
    few = Classifier(trained, IMAGES, unseen.select(range(3)), told)
    few.save(tmp_path / "few")
    again = Classifier.load(tmp_path / "few")
    assert again.confidence == told
    x = unseen.x[:9]
    np.testing.assert_array_equal(again.predict_proba(x), few.predict_proba(x))
    asked = {"coverage": 0.95, "false_alarms": 0.05}
    assert list(again.answer(x, **asked)) == list(few.answer(x, **asked))
    assert list(again.answer(unseen.x[-12:], **asked)) == list(few.answer(unseen.x[-12:], **asked))
    larger = few.extend(unseen.select(range(3, 5)))
    assert larger.confidence == told
    assert larger.forget(unseen.names[4]).forget(unseen.names[3]).labels == few.labels


def test_without_calibration_there_are_no_promises(unseen):
    one = ClassDataset(unseen.x[[0, -1]], torch.arange(2), ("a", "b"))
    few = Classifier(Prototypical(seen(Conv4(width=4))), IMAGES, one)
    for asked in ({"coverage": 0.9}, {"false_alarms": 0.05}):
        with pytest.raises(SettingError, match=r"needs at least .* examples, two or more of each label"):
            list(few.answer(unseen.x[:1], **asked))
        with pytest.raises(ModelError, match="not calibrated; `quickstudy calibrate RUN`"):
            list(few.answer(unseen.x[:1], **asked, rest_on="calibration"))
    with pytest.raises(SettingError, match="unknown rest_on 'luck'"):
        list(few.answer(unseen.x[:1], coverage=0.9, rest_on="luck"))


def test_few_examples_are_no_ground_for_a_guarantee_but_the_calibration_is_if_asked(trained, unseen):
    few = Classifier(trained, IMAGES, unseen.select(range(3)).to("cpu"), calibrated("glyphs-proto"))
    twelve = ClassDataset(few.data.x[::3], few.data.y[::3], few.labels)  # four of each
    few = Classifier(trained, IMAGES, twelve, calibrated("glyphs-proto"))
    with pytest.raises(SettingError, match=r"coverage=0.95 needs at least 19 examples, .* there are 12"):
        list(few.answer(unseen.x[:1], coverage=0.95))
    with pytest.raises(SettingError, match=r"false_alarms=0.05 needs at least 19 examples"):
        list(few.answer(unseen.x[:1], false_alarms=0.05))
    with pytest.warns(UserWarning, match="5-way 1-shot tasks; this classifier has 3 labels with 4 examples"):
        (one,) = few.answer(unseen.x[:1], coverage=0.95, rest_on="calibration")
    assert one.rest_on == "calibration"
    (one,) = few.answer(unseen.x[:1], coverage=0.9)
    assert one.rest_on == "examples"


def test_a_set_always_holds_the_answer_and_tells_what_is_unlike_all_examples(trained, unseen):
    few = Classifier(trained, IMAGES, unseen.select(range(3)), calibrated("glyphs-proto"))
    answers = list(few.answer(unseen.x, coverage=0.5))
    assert all(one.label == one.members[0] for one in answers)
    own = [one for one, c in zip(answers, unseen.y.tolist(), strict=True) if c < 3]
    others = [one for one, c in zip(answers, unseen.y.tolist(), strict=True) if c >= 3]
    assert fmean(one.unlike for one in others) > 0.9
    assert fmean(one.unlike for one in own) < 0.6


def test_answers_that_are_all_right_do_not_make_a_doubtful_one_sure():
    """Unit vectors far apart: all right. A temperature of nearly 0 would make 50.2 to 49.4 a certainty."""
    logits = torch.tensor([[0.9, 0.3, 0.3]]).repeat(500, 1)
    temperature = fit_temperature(logits, torch.zeros(500, dtype=torch.int64))
    doubtful = (torch.tensor([0.502, 0.494, 0.004]).log() / temperature).softmax(-1)
    assert temperature > 0.05
    assert doubtful[0] < 0.6
    assert (logits[0] / temperature).softmax(-1)[0] == pytest.approx(1 - 1 / 502, abs=1e-6)


@given(scale=st.floats(1e-4, 1e6))
@settings(max_examples=20, deadline=None)
def test_confidence_without_a_calibration_does_not_depend_on_the_unit_of_the_features(scale):
    x = torch.randn(30, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.arange(30) // 10
    x = x + 2 * y[:, None]
    data = [ClassDataset(k * x, y, ("a", "b", "c")) for k in (1.0, scale)]
    one, other = (Classifier(Prototypical(Identity(4)), Arrays((4,)), part) for part in data)
    np.testing.assert_allclose(one.predict_proba(x), other.predict_proba(scale * x), atol=1e-6)


def test_confidence_of_plain_class_means_is_about_the_accuracy():
    """Raw wine, whose widest column is in the hundreds: two thirds right, and no more sure than that."""
    x, y = load_wine(return_X_y=True)
    sure, right = [], []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        rows = np.concatenate([rng.permutation(np.flatnonzero(y == c))[:5] for c in range(3)])
        rest = np.setdiff1d(np.arange(len(y)), rows)
        few = Classifier(
            Prototypical(Identity(13)), Arrays((13,)), ClassDataset.from_labels(torch.from_numpy(x[rows]), y[rows])
        )
        p = few.predict_proba(x[rest])
        sure.append(p.max(1).mean())
        right.append((p.argmax(1) == y[rest]).mean())
    assert fmean(right) == pytest.approx(0.7, abs=0.06)
    assert fmean(sure) == pytest.approx(fmean(right), abs=0.1)


def test_learners_by_gradient_are_not_asked_to_learn_again_for_a_promise(unseen):
    few = Classifier(MAML(seen(Conv4(width=4)), 2, inner_lr=0.1), IMAGES, unseen.select(range(2)))
    with pytest.raises(SettingError, match="MAML would learn again without each of them; set rest_on to calibration"):
        list(few.answer(unseen.x[:1], coverage=0.9))


def test_own_examples_promise_for_inputs_that_the_weights_never_knew(trained):
    """Weights that know invented characters, on handwritten digits: their own calibration says nothing of those."""
    tasks, told = Episodes(digits(), 10, 5, 5, split="test"), calibrated("glyphs-proto")
    inside, by_calibration, alarms = [], [], []
    for i in range(20):
        support, query = tasks.sample(i, 1).at(0)
        shown = ClassDataset.from_labels(support.x, [f"class {k}" for k in support.y.argmax(1).tolist()])
        few = Classifier(trained, IMAGES, shown, told)
        right = query.y.argmax(1)
        said = list(few.answer(query.x, coverage=0.9, false_alarms=0.1))
        inside += [few.labels[k] in one.members for k, one in zip(right, said, strict=True)]
        p = torch.from_numpy(few.predict_proba(query.x))
        by_calibration += told.members(p, 0.9).gather(1, right[:, None])[:, 0].tolist()
        alarms += [one.none for one in said]
    assert fmean(inside) == pytest.approx(0.9, abs=0.03)
    assert fmean(by_calibration) < 0.5
    assert fmean(alarms) == pytest.approx(0.1, abs=0.03)


def test_each_example_is_judged_by_the_rest_as_if_it_had_never_been_shown(trained, unseen):
    few = Classifier(trained, IMAGES, unseen.select(range(2)), calibrated("glyphs-proto"))
    for i in (0, 25):
        keep = torch.arange(len(few.data.x)) != i
        rest = Classifier(trained, IMAGES, ClassDataset(few.data.x[keep], few.data.y[keep], few.labels))
        again = trained.adapt(rest.support)(few.support.x[i : i + 1])
        torch.testing.assert_close(few.judged[i : i + 1], again.detach().double(), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@given(seed=st.integers(0, 30), percent=st.integers(50, 95))
@settings(max_examples=20, deadline=None)
def test_what_is_promised_is_kept_on_average(seed, percent):
    scores = torch.rand(4000, 40, generator=torch.Generator().manual_seed(seed))
    kept = [
        float(last <= conformal_quantile(row, percent)) for row, last in zip(scores[:, :-1], scores[:, -1], strict=True)
    ]
    assert percent / 100 - 0.025 < fmean(kept) < percent / 100 + 0.025 + 1 / 40


@pytest.mark.parametrize("share", [0.0, 1.0, 0.905, -1, math.nan])
def test_shares_are_whole_percents(share):
    with pytest.raises((SettingError, ValueError)):
        Confidence(1.0, RAMP, RAMP, 5, 1).members(torch.ones(1, 1), share)


@pytest.mark.parametrize(
    "change",
    [
        {"temperature": 0.0},
        {"temperature": "1"},
        {"temperature": 1e300},
        {"misfits": [0.5] * 98},
        {"misfits": [0.5] * 98 + [0.4]},
        {"fits": "no"},
        {"fits": [None] * 99},
        {"more": 1},
    ],
)
def test_a_damaged_calibration_is_refused_in_one_line(tmp_path, unseen, change):
    told = {"temperature": 1.0, "misfits": RAMP, "fits": RAMP, "n_way": 5, "n_shot": 1} | change
    ModelFolder(tmp_path).write(Prototypical(seen(Conv4(width=4))), confidence=told)
    with pytest.raises(ModelError, match=r"config.json says confidence = .*; train or calibrate again") as caught:
        calibrated(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000


def test_calibrate_tells_and_keeps(tmp_path, cli, small):
    run = tmp_path / "run"
    flags = [word for name, value in small.items() for word in (f"--{name.replace('_', '-')}", str(value))]
    assert cli("train", *flags, "--out", str(run)).code == 0
    done = cli("calibrate", str(run), "--n-tasks", "10", "--json")
    assert done.code == 0
    said = json.loads(done.out)
    assert said["n_tasks"] == 5
    assert calibrated(run).temperature == said["confidence"]["temperature"]
    assert cli("doctor", str(run)).code == 0
    folder = small["data_root"]
    assert cli("adapt", str(run), folder, "-o", str(tmp_path / "few")).code == 0
    image = min(Path(folder).rglob("*.png"))
    said = cli("predict", str(tmp_path / "few"), str(image), "--coverage", "0.9", "--false-alarms", "0.05", "--json")
    (row,) = json.loads(said.out)["answers"]
    assert row["rest_on"] == "examples"
    assert row["none"] in (True, False)
    assert row["label"] == ("none of these" if row["none"] else row["set"][0])
    assert cli("predict", str(tmp_path / "few"), str(image), "--coverage", "2").code == 2


@pytest.mark.parametrize(("learner", "transductive"), [(Prototypical, False), (TIM, True)])
def test_a_calibration_says_whether_queries_are_answered_together(learner, transductive):
    data = ClassDataset.from_labels(torch.randn(60, 3), [str(i // 6) for i in range(60)])
    tasks = Episodes(data, n_way=3, n_shot=1, n_query=2)
    assert calibrate(learner(Identity(3)), tasks, 3, 1, n_tasks=4).transductive == transductive


class Indices:
    """Tasks of another source, whose targets are class indices."""

    seed, split = 0, "test"

    def __init__(self, tasks):
        self.tasks = tasks

    def sample(self, step, n_tasks):
        return Task(*(Examples(part.x, part.y.argmax(-1)) for part in self.tasks.sample(step, n_tasks)))


def test_tasks_of_class_indices_are_calibrated_as_those_of_rows():
    data = ClassDataset.from_labels(torch.randn(60, 3), [str(i // 6) for i in range(60)])
    tasks = Episodes(data, n_way=3, n_shot=1, n_query=2)
    of_rows, of_indices = (
        calibrate(Prototypical(Identity(3)), each, 3, 1, n_tasks=20) for each in (tasks, Indices(tasks))
    )
    assert of_indices == of_rows
