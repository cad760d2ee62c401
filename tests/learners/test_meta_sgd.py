import pytest
import torch
from torch import nn

from quickstudy.learners import MAML, MetaSGD
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks
from tests.learners.by_hand import (
    Params,
    assert_central_differences,
    assert_equal,
    gradient,
    inner_gradient,
    loss,
    meta_gradient,
    start,
)


def adapted(learner: MetaSGD, support: Examples) -> Params:
    theta = start(learner)
    grads = inner_gradient(learner, theta, support, list(theta), create_graph=True)
    return {name: p - rate * grads[name] for (name, p), rate in zip(theta.items(), learner.rates, strict=True)}


def with_rates_of_all_kinds(learner: MetaSGD) -> MetaSGD:
    for rate in learner.rates:
        nn.init.normal_(rate, std=0.1)
    return learner.double()


def images() -> MetaSGD:
    torch.manual_seed(0)
    return with_rates_of_all_kinds(MetaSGD(Conv4(size=16, width=4), 3))


def curves() -> MetaSGD:
    torch.manual_seed(0)
    return with_rates_of_all_kinds(MetaSGD(MLP(1, (8, 8), "tanh"), 2, loss="mse"))


MODELS = pytest.mark.parametrize("make", [images, curves])


@MODELS
def test_the_inner_loop_is_one_step_of_the_rates_times_the_gradient(make):
    learner = make()
    support, query = noise_tasks(learner).at(0)
    by_hand = loss(learner, adapted(learner, support), support, query)
    prediction = learner.adapt(support)(query.x)
    torch.testing.assert_close(learner.prediction_loss(prediction, query.y), by_hand, rtol=1e-12, atol=0)


@MODELS
def test_weights_and_rates_have_the_meta_gradient_of_a_step_by_hand_with_create_graph(make):
    learner = make()
    task = noise_tasks(learner).at(0)
    by_hand = gradient(learner, loss(learner, adapted(learner, task.support), task.support, task.query))
    assert_equal(meta_gradient(learner, task), by_hand)


@MODELS
def test_the_meta_gradient_is_that_of_central_differences(make):
    learner = make()
    assert_central_differences(learner, noise_tasks(learner).at(0))


@MODELS
def test_the_gradient_of_the_rates_is_minus_the_product_of_the_inner_and_the_outer_gradient(make):
    learner = make()
    support, query = noise_tasks(learner).at(0)
    theta = start(learner)
    inner = inner_gradient(learner, theta, support, list(theta), create_graph=False)
    phi = {name: p.detach().requires_grad_() for name, p in adapted(learner, support).items()}
    outer = torch.autograd.grad(loss(learner, phi, support, query), list(phi.values()))
    ours = torch.autograd.grad(learner.meta_loss(Task(support, query)), list(learner.rates))
    assert_equal(list(ours), [-g * v for g, v in zip(inner.values(), outer, strict=True)])


def test_with_equal_rates_it_is_maml_of_one_step():
    torch.manual_seed(0)
    learner = MetaSGD(Conv4(size=16, width=4), 3, inner_lr=0.25).double()
    maml = MAML(learner.net, 3, inner_lr=0.25, learned_head=True).double()
    maml.model = learner.model
    task = noise_tasks(learner).at(0)
    torch.testing.assert_close(learner.meta_loss(task), maml.meta_loss(task), rtol=1e-12, atol=0)
    assert_equal(meta_gradient(learner, task)[: len(list(maml.parameters()))], meta_gradient(maml, task))


@pytest.mark.parametrize("n_way", [2, 5])
def test_the_head_has_a_rate_for_each_weight_whatever_the_number_of_classes(n_way):
    learner = images()
    names = [name for name, _ in learner.model.named_parameters()]
    rates = learner.resized(dict(zip(names, learner.rates, strict=True)), n_way)
    theta = learner.initial(n_way)
    assert {name: r.shape for name, r in rates.items()} == {name: p.shape for name, p in theta.items()}
    for row in rates["1.weight"][3:]:
        torch.testing.assert_close(row, learner.rates[names.index("1.weight")].mean(0))
