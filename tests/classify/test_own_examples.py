"""A classifier's own examples show how sure it may be: all others classify each of them."""

import warnings

import numpy as np
import pytest
import torch

from quickstudy import ClassDataset, Classifier, Conv4, adapt, check, load
from quickstudy.classify.own_examples import Separation
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.images import Images
from quickstudy.learners import Matching, Prototypical, Siamese
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
