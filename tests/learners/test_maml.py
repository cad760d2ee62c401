import pytest
import torch

from quickstudy.learners import MAML
from quickstudy.learners.inner import Sgd, descend
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples
from quickstudy.testing import noise_tasks
from quickstudy.training.engine import map_tasks
from tests.learners.by_hand import (
    Params,
    assert_central_differences,
    assert_equal,
    conv4,
    gradient,
    inner_gradient,
    learned,
    loss,
    meta_gradient,
    start,
)


def adapted(learner: MAML, support: Examples, steps: int, *, create_graph: bool) -> Params:
    params = start(learner)
    for _ in range(steps):
        grads = inner_gradient(learner, params, support, list(params), create_graph=create_graph)
        params = {name: p - learner.inner_lr * grads[name] for name, p in params.items()}
    return params


def images(**options: object) -> MAML:
    torch.manual_seed(0)
    return MAML(Conv4(size=16, width=4), 3, inner_lr=0.1, **options).double()


def images_learned_head(**options: object) -> MAML:
    return images(learned_head=True, **options)


def curves(**options: object) -> MAML:
    torch.manual_seed(0)
    return MAML(MLP(1, (8, 8), "tanh"), 2, inner_lr=0.1, loss="mse", **options).double()


MODELS = pytest.mark.parametrize("make", [images, images_learned_head, curves])
STEPS = pytest.mark.parametrize("steps", [1, 3, 7])


@MODELS
@STEPS
def test_the_meta_gradient_is_that_of_central_differences(make, steps):
    learner = make(inner_steps=steps)
    assert_central_differences(learner, noise_tasks(learner).at(0))


@MODELS
@STEPS
def test_the_meta_gradient_is_that_of_a_loop_by_hand_with_create_graph(make, steps):
    learner = make(inner_steps=steps)
    task = noise_tasks(learner).at(0)
    phi = adapted(learner, task.support, steps, create_graph=True)
    by_hand = gradient(learner, loss(learner, phi, task.support, task.query))
    assert_equal(meta_gradient(learner, task), by_hand)


@MODELS
@STEPS
def test_first_order_takes_the_gradient_at_the_adapted_weights(make, steps):
    learner = make(inner_steps=steps, first_order=True)
    task = noise_tasks(learner).at(0)
    phi = adapted(learner, task.support, steps, create_graph=False)
    phi = {name: p.detach().requires_grad_() for name, p in phi.items()}
    by_hand = torch.autograd.grad(
        loss(learner, phi, task.support, task.query),
        [phi[name] for name, p in learner.model.named_parameters() if p.requires_grad],
    )
    first = meta_gradient(learner, task)
    assert_equal(first, list(by_hand))
    second = meta_gradient(make(inner_steps=steps), task)
    assert max(float((a - b).abs().max() / b.abs().max()) for a, b in zip(first, second, strict=True)) > 0.01
    assert torch.equal(learner.meta_loss(task), make(inner_steps=steps).meta_loss(task))


@pytest.mark.parametrize("first_order", [False, True])
def test_the_meta_gradient_of_a_batch_is_the_mean_of_its_tasks(first_order):
    learner = images(inner_steps=2, first_order=first_order)
    tasks = noise_tasks(learner)
    each = [meta_gradient(learner, tasks.at(i)) for i in range(3)]
    mean = [torch.stack(gradients).mean(0) for gradients in zip(*each, strict=True)]
    batch = torch.autograd.grad(map_tasks(learner.meta_loss, tasks, engine="vmap").mean(), learned(learner))
    assert_equal(list(batch), mean)


@MODELS
def test_predictions_are_those_of_the_weights_adapted_by_hand(make):
    learner = make(inner_steps=1, test_steps=4)
    support, query = noise_tasks(learner).at(0)
    for steps in (1, 4):  # in training, and otherwise
        phi = adapted(learner, support, steps, create_graph=False)
        prediction = learner.train(steps == 1).adapt(support)(query.x)
        by_hand = learner.prediction_loss(prediction, query.y)
        torch.testing.assert_close(by_hand, loss(learner, phi, support, query), rtol=1e-12, atol=0)


def test_no_inner_step_is_the_meta_learned_model_itself():
    learner = curves(inner_steps=0)
    support, query = noise_tasks(learner).at(0)
    assert torch.equal(learner.adapt(support)(query.x), learner.model(query.x))


def test_transductive_queries_are_normalised_by_themselves_and_inductive_ones_by_the_support():
    inductive, transductive = images(), images(transductive=True)
    support, query = noise_tasks(inductive).at(0)
    phi = adapted(inductive, support, 1, create_graph=False)
    a, b = (learner.adapt(support)(query.x) for learner in (inductive, transductive))
    torch.testing.assert_close(b, conv4(phi, query.x, len(query.x)), rtol=1e-10, atol=1e-10)
    assert not torch.allclose(a, b)
    assert torch.allclose(inductive.adapt(support)(query.x[:2]), a[:2])
    assert not torch.allclose(transductive.adapt(support)(query.x[:2]), b[:2])


def test_the_head_of_a_classifier_stays_zero_for_any_number_of_classes():
    learner = images()
    assert not any(p.requires_grad or p.any() for p in learner.model[1].parameters())
    assert learner.initial(7)["1.weight"].shape == (7, 4)
    assert not learner.initial(7)["1.weight"].any()


@pytest.mark.parametrize("n_way", [2, 3, 8])
def test_a_first_step_from_a_zero_head_makes_each_row_a_centred_prototype_whatever_the_ways(n_way):
    torch.manual_seed(0)
    learner = MAML(MLP(2, (8,)), n_way=3, inner_lr=0.4)
    support = Examples(torch.randn(2 * n_way, 2), torch.eye(n_way).repeat(2, 1))
    step = descend(
        lambda params, examples, t: learner.support_loss(params, examples),
        learner.initial(n_way),
        support,
        Sgd(0.4),
        1,
    )
    z = learner.net(support.x)
    prototypes = support.y.T @ z / 2
    torch.testing.assert_close(step["1.weight"], 0.4 * (prototypes - z.mean(0)))


def test_a_learned_head_shrinks_to_fewer_classes_and_grows_by_its_mean_row():
    learner = MAML(MLP(1, (8, 8), "tanh"), 2, learned_head=True)
    for n_way in (1, 4):
        params = learner.initial(n_way)
        assert params["1.weight"].shape == (n_way, 8)
        assert torch.equal(params["1.weight"][:2], learner.model[1].weight[:n_way])
        assert torch.equal(params["1.bias"][:2], learner.model[1].bias[:n_way])
        for row in params["1.weight"][2:]:
            torch.testing.assert_close(row, learner.model[1].weight.mean(0))
