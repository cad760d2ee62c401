import pytest
import torch

from quickstudy.learners import ANIL, MAML
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples
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

HEAD = ["1.weight", "1.bias"]


def adapted(learner: ANIL, support: Examples, steps: int) -> Params:
    params = start(learner)
    for _ in range(steps):
        grads = inner_gradient(learner, params, support, HEAD, create_graph=True)
        params = params | {name: params[name] - learner.inner_lr * grads[name] for name in HEAD}
    return params


def images(**options: object) -> ANIL:
    torch.manual_seed(0)
    return ANIL(Conv4(size=16, width=4), 3, inner_lr=0.1, **options).double()


def images_learned_head(**options: object) -> ANIL:
    return images(learned_head=True, **options)


def curves(**options: object) -> ANIL:
    torch.manual_seed(0)
    return ANIL(MLP(1, (8, 8), "tanh"), 2, inner_lr=0.1, loss="mse", **options).double()


MODELS = pytest.mark.parametrize("make", [images, images_learned_head, curves])
STEPS = pytest.mark.parametrize("steps", [1, 3, 7])


@MODELS
@STEPS
def test_the_head_alone_is_adapted(make, steps):
    learner = make(inner_steps=1, test_steps=steps).eval()
    support, query = noise_tasks(learner).at(0)
    prediction = learner.adapt(support)(query.x)
    by_hand = loss(learner, adapted(learner, support, steps), support, query)
    torch.testing.assert_close(learner.prediction_loss(prediction, query.y), by_hand, rtol=1e-12, atol=0)


@MODELS
@STEPS
def test_the_meta_gradient_is_that_of_a_loop_by_hand_with_create_graph(make, steps):
    learner = make(inner_steps=steps)
    task = noise_tasks(learner).at(0)
    phi = adapted(learner, task.support, steps)
    assert_equal(meta_gradient(learner, task), gradient(learner, loss(learner, phi, task.support, task.query)))


@MODELS
@STEPS
def test_the_meta_gradient_is_that_of_central_differences(make, steps):
    learner = make(inner_steps=steps)
    assert_central_differences(learner, noise_tasks(learner).at(0))


@pytest.mark.parametrize("steps", [1, 2])
def test_the_first_step_from_a_head_of_zeros_is_that_of_maml(steps):
    anil = images(inner_steps=steps)
    maml = MAML(anil.net, 3, inner_lr=0.1, inner_steps=steps).double()
    support, query = noise_tasks(anil).at(0)
    equal = torch.allclose(anil.adapt(support)(query.x), maml.adapt(support)(query.x), rtol=1e-12)
    assert equal == (steps == 1)
