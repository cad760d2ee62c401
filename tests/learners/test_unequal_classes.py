"""A class with fewer examples than others is recognised as well."""

from functools import partial

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import (
    ANIL,
    BDCSPN,
    FEAT,
    IMAML,
    KFO,
    LRD2,
    MAML,
    R2D2,
    Baseline,
    MAMLPlusPlus,
    Matching,
    MetaCurvature,
    MetaOptNet,
    Prototypical,
    Reptile,
)
from quickstudy.nets import MLP, Identity
from quickstudy.tasks.task import Examples, Task


def classes(*counts: int) -> Tensor:
    return torch.eye(len(counts)).repeat_interleave(torch.tensor(counts), 0)


def test_targets_of_equal_classes_are_unchanged_and_those_of_unequal_ones_have_weights_of_mean_1():
    equal = classes(3, 3, 3)
    assert torch.equal(MAML(Identity(3)).weighted(Examples(equal, equal)).y, equal)
    y = classes(1, 4, 0)
    targets = MAML(Identity(3)).weighted(Examples(y, y)).y
    torch.testing.assert_close(targets.sum(0), torch.tensor([2.5, 2.5, 0]))


@pytest.mark.parametrize(
    "learner",
    [
        R2D2,
        LRD2,
        MetaOptNet,
        Matching,
        MAML,
        ANIL,
        MAMLPlusPlus,
        IMAML,
        MetaCurvature,
        KFO,
        Reptile,
        partial(Baseline, n_classes=4),
    ],
)
@pytest.mark.parametrize("counts", [(1, 2), (1, 10), (1, 1, 1, 10)])
def test_a_class_with_few_examples_is_the_answer_as_often_as_the_others(learner, counts):
    generator, k, right = torch.Generator().manual_seed(0), len(counts), []

    def examples(y: Tensor, centres: Tensor) -> Examples:
        noise = torch.randn(len(y), 64, generator=generator)
        return Examples(F.normalize(y @ centres + 0.12 * noise, dim=1), y)

    for _ in range(40):
        centres = F.normalize(torch.randn(k, 64, generator=generator), dim=1)
        support, query = (examples(classes(*n), centres) for n in (counts, [10] * k))
        answers = learner(Identity(64)).adapt(support)(query.x).argmax(1)
        right.append((answers == query.y.argmax(1)).float().view(k, 10).mean(1))
    assert torch.stack(right).mean(0).min() > 0.9


@pytest.mark.parametrize("learner", [Prototypical, Matching, FEAT, BDCSPN])
def test_a_class_without_support_has_no_part_in_the_loss_of_the_others(learner):
    torch.manual_seed(0)
    x, q = torch.randn(4, 8, dtype=torch.float64), torch.randn(2, 8, dtype=torch.float64)
    trained = learner(MLP(8, (8,))).double()
    three, two = (
        trained.meta_loss(Task(Examples(x, classes(2, 2, 0)[:, :n]), Examples(q, classes(1, 1, 0)[:, :n])))
        for n in (3, 2)
    )
    torch.testing.assert_close(three, two)
    gradients = [torch.autograd.grad(loss, list(trained.net.parameters())) for loss in (three, two)]
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


def test_real_targets_of_other_dimensions_than_the_head_are_refused():
    learner = MAML(Identity(3), 1, loss="mse")
    with pytest.raises(SettingError, match="targets have 2 dimensions, but the learner is made for 1; set n_way=2"):
        learner.adapt(Examples(torch.zeros(4, 3), torch.zeros(4, 2)))
