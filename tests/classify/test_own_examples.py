"""A classifier's own examples show how sure it may be: all others classify each of them."""

import warnings
from dataclasses import replace
from statistics import fmean, stdev

import numpy as np
import pytest
import torch

from quickstudy import ClassDataset, Classifier, Conv4, adapt, check, load
from quickstudy.classify.edit import learned, with_more
from quickstudy.classify.own_examples import Separation
from quickstudy.errors import SettingError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Item
from quickstudy.inputs.images import Images
from quickstudy.learners import R2D2, Matching, Prototypical, Siamese
from quickstudy.learners.metric import MetricLearner
from quickstudy.nets import Identity
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.task import Examples
from tests.seen import seen


@pytest.mark.parametrize("query", [None, 3])
def test_prototypes_without_each_example_are_those_of_learning_again(query):
    generator = torch.Generator().manual_seed(0)
    y = torch.eye(4, dtype=torch.float64)[[0, 0, 1, 1, 1, 2, 3, 3]]
    support = Examples(torch.randn(8, 5, generator=generator, dtype=torch.float64), y)
    queries = None if query is None else torch.randn(query, 5, generator=generator, dtype=torch.float64)
    learner = Prototypical(Identity(5))
    quick, slow = learner.left_out(support, queries), MetricLearner.left_out(learner, support, queries)
    torch.testing.assert_close(quick, slow)
    assert quick.shape == (8, query or 1, 4)


def random_labels(n=60, n_classes=3):
    rng = np.random.default_rng(0)
    return ClassDataset.from_labels(torch.from_numpy(rng.normal(size=(n, 4))), np.arange(n) % n_classes)


def test_examples_that_cannot_be_told_apart_are_a_warning_with_the_numbers():
    few = Classifier(Prototypical(Identity(4)), Arrays((4,)), random_labels())
    assert few.separation.doubtful
    with pytest.warns(UserWarning, match=r"only \d+ of 60 examples get their own label .* \(by chance 20\)"):
        list(few.answer(np.zeros((1, 4))))


@pytest.mark.parametrize("learner", [Prototypical, Matching, Siamese])
def test_examples_that_are_told_apart_are_no_warning(learner):
    few = Classifier(load("glyphs-proto"), Images(), draw_glyphs(range(900_000, 900_005), 4))
    assert few.separation == (20, 20, 5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        list(few.answer(few.data.x[:2]))
    assert Classifier(learner(seen(Conv4(width=4))), Images(), draw_glyphs(range(3), 1)).separation is None


def test_where_nothing_is_told_apart_no_label_is_called_wrong(tmp_path):
    rng = np.random.default_rng(1)
    rows = [f"{a},{b},{'xyz'[i % 3]}" for i, (a, b) in enumerate(rng.normal(size=(45, 2)))]
    (tmp_path / "noise.csv").write_text("\n".join(["a,b,label", *rows]) + "\n")
    report = check(tmp_path / "noise.csv")
    assert "examples get their own label from all others" in report.doubt
    assert (report.suspects, report.confusable, report.sound) == ([], [], False)
    with pytest.warns(UserWarning, match="examples get their own label from all others"):
        adapt(tmp_path / "noise.csv")


@pytest.mark.parametrize(
    ("right", "n", "n_labels", "doubtful"), [(0, 8, 2, True), (9, 20, 20, True), (9, 12, 3, False)]
)
def test_what_chance_would_give_is_doubtful(right, n, n_labels, doubtful):
    assert Separation(right, n, n_labels).doubtful == doubtful


def skewed(seed, n_columns, n=10, n_new=80):
    """Return labelled rows of two classes and new rows with their labels, of lognormal noise around class means."""
    rng = np.random.default_rng(seed)
    means, y = rng.normal(scale=0.3, size=(2, n_columns)), np.arange(2 * n + n_new) % 2
    x = means[y] + np.exp(1.2 * rng.normal(size=(len(y), n_columns)))
    items = [Item(f"row {i}", {f"c{k}": cell for k, cell in enumerate(row)}) for i, row in enumerate(x.tolist())]
    labelled = [(item, "ab"[c]) for item, c in zip(items, y, strict=True)]
    return labelled[: 2 * n], labelled[2 * n :]


def interval(rates):
    return 2 * stdev(rates) / len(rates) ** 0.5


@pytest.mark.parametrize("n_columns", [30, 100])
def test_a_table_measured_on_few_rows_keeps_coverage_and_false_alarms_for_new_rows(n_columns):
    inside, alarms = [], []
    for seed in range(16):
        labelled, new = skewed(seed, n_columns)
        answers = list(learned(labelled).answer([item for item, _ in new], coverage=0.9, false_alarms=0.1))
        inside.append(fmean(label in one.members for one, (_, label) in zip(answers, new, strict=True)))
        alarms.append(fmean(one.none for one in answers))
    assert fmean(inside) >= 0.9 - interval(inside)
    assert fmean(alarms) <= 0.1 + interval(alarms)


def mixed(n=14):
    rng = np.random.default_rng(0)
    words = ["rare", *rng.choice(["red", "blue", "?"], n - 1)]
    cells = zip(rng.normal(size=n), rng.lognormal(size=n), words, strict=True)
    rows = [{"a": a, "b": b, "c": c} | ({"b": "n/a"} if i % 5 == 0 else {}) for i, (a, b, c) in enumerate(cells)]
    return [(Item(f"row {i}", row), "xy"[i % 2]) for i, row in enumerate(rows)]


def test_a_row_of_a_table_is_judged_by_a_table_that_never_saw_it():
    few = learned(mixed())
    for i, item in enumerate(few.items):
        rest = learned([pair for pair in mixed() if pair[0].name != item.name])
        ((_, logits),) = rest._logits([item])
        torch.testing.assert_close(few.judged[i], logits[0], atol=1e-4, rtol=1e-4)


def test_many_rows_are_judged_by_some_of_them_alike():
    labelled, new = skewed(0, 5, n=400)
    answers = list(learned(labelled).answer([item for item, _ in new], coverage=0.9, false_alarms=0.1))
    assert fmean(label in one.members for one, (_, label) in zip(answers, new, strict=True)) > 0.83
    assert fmean(one.none for one in answers) < 0.17


def test_a_table_that_measured_other_rows_gives_no_guarantee():
    few = learned(mixed())
    stale = Classifier(few.learner, few.inputs, ClassDataset(few.data.x, few.data.y, few.labels))
    other = replace(few.inputs, numbers={name: [1.0, 1.0] for name in few.inputs.numbers})
    for one in (stale, Classifier(few.learner, other, few.data)):
        with pytest.raises(SettingError, match="columns were measured on other rows; adapt again from all examples"):
            list(one.answer([mixed()[0][0]], false_alarms=0.2))
    assert few.is_fitted
    assert stale.predict([mixed()[0][0]]) == few.predict([mixed()[0][0]])


def test_more_rows_are_more_to_measure_so_that_new_classes_differ(tmp_path):
    rng = np.random.default_rng(0)

    def rows(**centres):
        return [
            (Item(f"{label} {i}", {"w": centre + 0.001 * rng.normal(), "c": f"{label} colour"}), label)
            for label, centre in centres.items()
            for i in range(6)
        ]

    first = learned(rows(A=1.0, B=1.01))
    more = with_more(first, rows(C=3.0, D=5.0))
    new = {"C": {"w": 3.0, "c": "C colour"}, "D": {"w": 5.0, "c": "D colour"}, "A": {"w": 1.0, "c": ""}}
    more.save(tmp_path / "more")
    again = Classifier.load(tmp_path / "more")
    assert again.predict(list(new.values())) == more.predict(list(new.values())) == list(new)
    assert again.is_fitted
    assert again.inputs.categories == {"c": [f"{label} colour" for label in "ABCD"]}
    fewer = again.forget("C").forget("D")
    assert fewer.is_fitted
    assert fewer.inputs.categories == first.inputs.categories


class Scaled(Prototypical):
    def comparison(self, support):
        compare = super().comparison(support)
        return lambda query: 10 * compare(query)


class Adapting(Prototypical):
    def adapt(self, support):
        return super().adapt(Examples(support.x, support.y))


@pytest.mark.parametrize("learner", [Prototypical, Scaled])
def test_an_own_comparison_keeps_coverage_and_false_alarms(learner):
    inside, alarms = [], []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y, truth = np.arange(50) % 5, np.arange(100) % 5
        x, new = (torch.from_numpy(rng.normal(size=(len(c), 8)) + 1.5 * np.eye(8)[c]) for c in (y, truth))
        few = Classifier(learner(Identity(8)), Arrays((8,)), ClassDataset.from_labels(x, y))
        answers = list(few.answer(new, coverage=0.9, false_alarms=0.05))
        inside.append(fmean(str(c) in each.members for each, c in zip(answers, truth, strict=True)))
        alarms.append(fmean(each.none for each in answers))
    assert 0.9 - interval(inside) <= fmean(inside) <= 0.9 + 1 / 51 + interval(inside)
    assert 0.05 - 1 / 51 - interval(alarms) <= fmean(alarms) <= 0.05 + interval(alarms)


def test_an_own_adapt_would_learn_again_without_each_example():
    few = Classifier(Adapting(Identity(4)), Arrays((4,)), random_labels())
    with pytest.raises(SettingError, match=r"because Adapting would learn again .* set rest_on to calibration"):
        list(few.answer(few.data.x, coverage=0.9))


@pytest.mark.parametrize("times", [2, 3])
def test_copies_of_examples_are_no_evidence(times):
    inside, alarms = [], []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        y, truth = np.arange(20) % 4, np.arange(80) % 4
        means = rng.normal(size=(4, 8))
        x, new = (torch.from_numpy(means[c] + rng.normal(size=(len(c), 8))) for c in (y, truth))
        one, many = (
            Classifier(Prototypical(Identity(8)), Arrays((8,)), ClassDataset.from_labels(x.repeat(k, 1), np.tile(y, k)))
            for k in (1, times)
        )
        plain, answers = (list(few.answer(new, coverage=0.9, false_alarms=0.1)) for few in (one, many))
        assert [each.none for each in answers] == [each.none for each in plain]
        inside.append(fmean(str(c) in each.members for each, c in zip(answers, truth, strict=True)))
        alarms.append(fmean(each.none for each in answers))
    assert fmean(inside) >= 0.9 - interval(inside)
    assert fmean(alarms) <= 0.1 + interval(alarms)


@pytest.mark.parametrize("head", [Prototypical, R2D2])
def test_copies_make_no_answer_more_confident(head):
    rng = np.random.default_rng(0)
    x, new = (torch.from_numpy(rng.normal(size=(n, 4)) + np.eye(4)[np.arange(n) % 4]) for n in (12, 8))
    y = np.arange(12) % 4
    torch.manual_seed(0)
    learner = head(Identity(4)).double()
    one, many = (
        Classifier(learner, Arrays((4,)), ClassDataset.from_labels(x.repeat(k, 1), np.tile(y, k))) for k in (1, 20)
    )
    plain, copies = (few.predict_proba(new) for few in (one, many))
    if head is Prototypical:
        np.testing.assert_allclose(copies, plain, rtol=1e-6)
    assert copies.max(1).mean() <= plain.max(1).mean() + 0.1


def test_copies_do_not_make_enough_examples():
    x = torch.randn(4, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    for rows, labels, n in (([0, 1, 2, 3], [0, 0, 1, 1], 4), ([0, 1, 2, 2], [0, 0, 1, 1], 0)):
        data = ClassDataset.from_labels(x[rows].repeat(5, 1), labels * 5)
        few = Classifier(Prototypical(Identity(3)), Arrays((3,)), data)
        with pytest.raises(SettingError, match=rf"needs at least 9 examples, .* exact copies, but there are {n};"):
            list(few.answer(x, false_alarms=0.1))
