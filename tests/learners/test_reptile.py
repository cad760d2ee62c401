import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners import Reptile
from quickstudy.nets import MLP, Conv4, apply
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks
from quickstudy.training.engine import map_tasks


def reptile(net: nn.Module | None = None, **options: object) -> Reptile:
    torch.manual_seed(0)
    learner = Reptile(net or MLP(2, (6, 6), "tanh"), 3, **{"inner_lr": 0.05, "inner_steps": 5, **options})
    return learner.double()


def adapted(learner: Reptile, support: Examples, batch: int, steps: int) -> list[Tensor]:
    """Weights after the inner loop, by hand: batches of the support in turn, over and over."""
    model = copy.deepcopy(learner.model).requires_grad_()
    moments = [torch.zeros_like(p) for p in model.parameters()]
    n = len(support.x)
    for t in range(steps):
        rows = torch.arange(n).repeat(steps * batch)[t * batch :][:batch]
        loss = 3 * F.cross_entropy(apply(model, support.x[rows], statistics="batch"), support.y[rows])
        grads = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for p, v, g in zip(model.parameters(), moments, grads, strict=True):
                if learner.inner_rule == "sgd":
                    p -= learner.inner_lr * g
                else:
                    v.mul_(0.999).add_(0.001 * g**2)
                    p -= learner.inner_lr * g / (v / (1 - 0.999 ** (t + 1)) + 1e-16).sqrt()
    return [p.detach() for p in model.parameters()]


def outer_step(learner: Reptile, tasks: Task, eps: float) -> None:
    optimizer = torch.optim.SGD(learner.parameters(), lr=eps)
    optimizer.zero_grad()
    map_tasks(learner.train().meta_loss, tasks).mean().backward()
    optimizer.step()


def assert_weights(learner: Reptile, expected: list[Tensor]) -> None:
    for p, e in zip(learner.parameters(), expected, strict=True):
        assert (p - e).abs().max().item() <= 1e-12


@pytest.mark.parametrize("learned_head", [False, True])
@pytest.mark.parametrize("rule", ["sgd", "adam"])
@pytest.mark.parametrize("inner_batch", [None, 4, 100])
@pytest.mark.parametrize("net", [MLP(2, (6, 6), "tanh"), Conv4(size=16, width=4)], ids=["mlp", "conv4"])
def test_an_outer_step_goes_eps_of_the_way_to_the_mean_of_the_adapted_weights(rule, inner_batch, net, learned_head):
    learner = reptile(copy.deepcopy(net), inner_rule=rule, inner_batch=inner_batch, learned_head=learned_head)
    tasks = noise_tasks(learner, n_shot=3)  # 9 support examples: the third batch of 4 ends at the first three
    theta = [p.detach().clone() for p in learner.parameters()]
    phis = [adapted(learner, tasks.at(i).support, min(inner_batch or 9, 9), steps=5) for i in range(3)]
    outer_step(learner, tasks, eps=0.3)
    mean = [torch.stack(each).mean(0) for each in zip(*phis, strict=True)]
    assert all((m != t).any() for t, m in zip(theta, mean, strict=True))
    weights = [t + 0.3 * (m - t) for t, m in zip(theta, mean, strict=True)]
    assert_weights(learner, weights if learned_head else [*weights[:-2], *theta[-2:]])


def test_one_task_a_step_is_serial_reptile():
    learner = reptile(inner_rule="sgd", inner_batch=2, learned_head=True)
    tasks = noise_tasks(learner)
    by_hand = copy.deepcopy(learner)
    for i in range(3):
        phi = adapted(by_hand, tasks.at(i).support, 2, steps=5)
        with torch.no_grad():
            for p, q in zip(by_hand.parameters(), phi, strict=True):
                p += 0.5 * (q - p)
        outer_step(learner, tasks.at(slice(i, i + 1)), eps=0.5)
    assert_weights(learner, list(by_hand.parameters()))


def test_one_inner_step_is_joint_training():
    learner = reptile(inner_rule="sgd", inner_steps=1, inner_batch=None, learned_head=True)
    task = noise_tasks(learner).at(0)
    reptiles = torch.autograd.grad(learner.meta_loss(task), list(learner.parameters()))
    joint = torch.autograd.grad(
        F.cross_entropy(learner.model(task.support.x), task.support.y), list(learner.parameters())
    )
    for a, b in zip(reptiles, joint, strict=True):
        torch.testing.assert_close(a, 0.05 * 3 * b)  # cross-entropy is summed over 3 classes


def test_it_trains_on_the_support_alone():
    learner = reptile()
    task = noise_tasks(learner).at(0)
    silent = Task(task.support, Examples(task.query.x[:0], task.query.y[:0]))
    assert torch.equal(learner.meta_loss(task), learner.meta_loss(silent))


@pytest.mark.parametrize("training", [True, False])
def test_adapting_takes_all_of_the_support_at_every_step(training):
    learner = reptile(inner_rule="sgd", inner_batch=2, test_steps=7).train(training)
    support, query = noise_tasks(learner).at(0)
    phi = adapted(learner, support, len(support.x), steps=5 if training else 7)
    by_hand = torch.func.functional_call(
        learner.model, dict(zip(dict(learner.model.named_parameters()), phi, strict=True)), (query.x,)
    )
    torch.testing.assert_close(learner.adapt(support)(query.x), by_hand, rtol=1e-12, atol=1e-12)


def test_another_number_of_classes_trains_the_rows_of_the_head_that_it_has():
    learner = reptile(learned_head=True)
    narrow = noise_tasks(reptile(inner_rule="sgd"))
    narrow = Task(*(Examples(part.x, part.y[..., :2]) for part in narrow))
    gradient = torch.autograd.grad(learner.meta_loss(narrow.at(0)), learner.model[1].weight)[0]
    assert (gradient[:2] != 0).any()
    assert (gradient[2] == 0).all()


def test_the_last_examples_of_a_support_are_taken_too():
    learner = reptile(inner_rule="sgd", inner_batch=2)
    support, query = noise_tasks(learner).at(0)
    five = support.at([0, 1, 2, 3, 4])
    for i in range(5):
        other = Examples(five.x.index_fill(0, torch.tensor(i), 9.0), five.y)
        losses = [learner.meta_loss(Task(s, query)) for s in (five, other)]
        assert losses[0] != losses[1], i
