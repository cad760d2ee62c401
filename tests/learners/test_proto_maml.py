import pytest
import torch

from quickstudy.learners import ProtoMAML, Prototypical
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples
from quickstudy.testing import noise_tasks
from tests.learners.by_hand import (
    Params,
    assert_central_differences,
    assert_equal,
    embedded,
    gradient,
    inner_gradient,
    learned,
    loss,
    meta_gradient,
    start,
)


def from_prototypes(learner: ProtoMAML, support: Examples) -> Params:
    """Copies of the net's weights beside a head that is a function of the net's weights."""
    theta = start(learner)
    z = embedded(theta, support.x, len(support.x))
    c = torch.stack([z[support.y[:, k] == 1].mean(0) for k in range(support.y.shape[1])])
    return {name: p.clone() for name, p in theta.items()} | {"1.weight": 2 * c, "1.bias": -(c**2).sum(1)}


def adapted(learner: ProtoMAML, support: Examples, steps: int, *, create_graph: bool) -> Params:
    params = from_prototypes(learner, support)
    for _ in range(steps):
        grads = inner_gradient(learner, params, support, list(params), create_graph=True)
        grads = {name: g if create_graph else g.detach() for name, g in grads.items()}
        params = {name: p - learner.inner_lr * grads[name] for name, p in params.items()}
    return params


def images(**options: object) -> ProtoMAML:
    torch.manual_seed(0)
    return ProtoMAML(Conv4(size=16, width=4), 3, **options).double()


STEPS = pytest.mark.parametrize("steps", [0, 1, 3, 7])


@pytest.mark.parametrize("n_way", [2, 3, 8])
def test_before_any_step_it_is_a_prototypical_network_whatever_the_number_of_classes(n_way):
    torch.manual_seed(0)
    net = MLP(2, (8,)).double()
    support = Examples(torch.randn(2 * n_way, 2).double(), torch.eye(n_way).double().repeat(2, 1))
    ours, theirs = (learner.adapt(support) for learner in (ProtoMAML(net, inner_steps=0).double(), Prototypical(net)))
    x = torch.randn(4, 2).double()
    torch.testing.assert_close(ours(x).softmax(-1), theirs(x).softmax(-1), rtol=1e-12, atol=1e-12)


@STEPS
@pytest.mark.parametrize("first_order", [False, True])
def test_the_meta_gradient_is_that_of_a_loop_by_hand_from_the_prototypes(steps, first_order):
    learner = images(inner_steps=steps, first_order=first_order)
    task = noise_tasks(learner).at(0)
    phi = adapted(learner, task.support, steps, create_graph=not first_order)
    assert_equal(meta_gradient(learner, task), gradient(learner, loss(learner, phi, task.support, task.query)))


@STEPS
def test_the_meta_gradient_is_that_of_central_differences(steps):
    learner = images(inner_steps=steps)
    assert_central_differences(learner, noise_tasks(learner).at(0))


def test_predictions_are_those_of_the_weights_adapted_by_hand():
    learner = images(inner_steps=1, test_steps=4)
    support, query = noise_tasks(learner).at(0)
    for steps in (1, 4):  # in training, and otherwise
        phi = adapted(learner, support, steps, create_graph=False)
        prediction = learner.train(steps == 1).adapt(support)(query.x)
        by_hand = loss(learner, phi, support, query)
        torch.testing.assert_close(learner.prediction_loss(prediction, query.y), by_hand, rtol=1e-12, atol=0)


def test_the_net_alone_is_meta_learned():
    learner = images()
    assert {id(p) for p in learned(learner)} == {id(p) for p in learner.net.parameters()}
