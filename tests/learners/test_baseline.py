import pytest
import torch
from torch.nn import functional as F

from quickstudy.learners import Baseline
from quickstudy.nets import MLP, Conv4, apply
from quickstudy.tasks.task import Task
from quickstudy.testing import noise_tasks


def baseline(**options: object) -> Baseline:
    torch.manual_seed(0)
    return Baseline(MLP(8, (32,), "tanh"), 4, **options).double()


def test_a_fresh_head_fits_the_support():
    learner = baseline(head_lr=1.0, head_steps=300)
    for i in range(3):
        support = noise_tasks(learner, n_shot=2).at(i).support
        assert (learner.adapt(support)(support.x).argmax(-1) == support.y.argmax(-1)).all()


def test_the_head_is_a_softmax_regression_from_zero_on_frozen_features():
    learner = baseline(head_lr=0.3, head_steps=4)
    support, query = noise_tasks(learner).at(0)
    z = learner.net(support.x).detach()
    weight, bias = torch.zeros(4, 32).double(), torch.zeros(4).double()
    for _ in range(4):
        error = ((z @ weight.T + bias).softmax(-1) - support.y) / len(z)
        weight, bias = weight - 0.3 * error.T @ z, bias - 0.3 * error.sum(0)
    by_hand = learner.net(query.x) @ weight.T + bias
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-12, atol=1e-12)


def test_no_step_leaves_it_undecided_and_the_trained_head_is_not_used():
    support, query = noise_tasks(baseline()).at(0)
    assert (baseline(head_steps=0).adapt(support)(query.x) == 0).all()
    learner = baseline()
    before = learner.adapt(support)(query.x)
    torch.nn.init.normal_(learner.head.weight)
    assert torch.equal(before, learner.adapt(support)(query.x))


def test_it_trains_as_an_ordinary_classifier_of_all_that_a_task_holds():
    torch.manual_seed(0)
    learner = Baseline(Conv4(size=16, width=4), 4).double()
    support, query = task = noise_tasks(learner).at(0)
    x, y = torch.cat([support.x, query.x]), torch.cat([support.y, query.y])
    by_hand = F.cross_entropy(learner.head(apply(learner.net, x, statistics="batch")), y.argmax(-1))
    assert learner.meta_loss(task).item() == pytest.approx(by_hand.item(), rel=1e-12)
    plain = Task(type(support)(x[:0], y[:0]), type(query)(x, y))  # as of Batches
    assert learner.meta_loss(plain).item() == pytest.approx(by_hand.item(), rel=1e-12)


def test_inference_takes_the_population_that_was_observed():
    torch.manual_seed(0)
    learner = Baseline(Conv4(size=16, width=4), 4, head_steps=3).double()
    support, query = noise_tasks(learner).at(0)
    learner.observe(support.x)
    together = learner.adapt(support)(query.x)
    torch.testing.assert_close(learner.adapt(support)(query.x[:1]), together[:1])
