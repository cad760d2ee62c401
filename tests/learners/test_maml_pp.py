import copy
from itertools import islice

import pytest
import torch
from torch import nn

from quickstudy.errors import SettingError
from quickstudy.learners import MAMLPlusPlus
from quickstudy.nets import MLP, Conv4, convert_norms
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.tasks.task import Examples
from quickstudy.testing import noise_tasks
from quickstudy.training import State, outer_loop
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

NORMS = [f"0.norms.{i}.{part}" for i in range(4) for part in ("weight", "bias")]


def of_all_kinds(learner: MAMLPlusPlus, progress: float) -> MAMLPlusPlus:
    """With rates and norms that differ from layer to layer and from step to step."""
    learner.anneal(progress)
    nn.init.uniform_(learner.rates, 0.02, 0.2)
    for p in (*learner.later_norms, *(p for name, p in learner.model.named_parameters() if name in NORMS)):
        nn.init.normal_(p, 0.5, 0.2)
    return learner.double()


def images(progress: float = 0.0, **options: object) -> MAMLPlusPlus:
    torch.manual_seed(0)
    return of_all_kinds(MAMLPlusPlus(Conv4(size=16, width=4), 3, inner_steps=3, **options), progress)


def curves(progress: float = 0.0) -> MAMLPlusPlus:
    torch.manual_seed(0)
    return of_all_kinds(MAMLPlusPlus(MLP(1, (8, 8), "tanh"), 2, inner_steps=3, loss="mse"), progress)


def iterates(learner: MAMLPlusPlus, support: Examples, *, create_graph: bool) -> list[Params]:
    phi, steps = start(learner), []
    names = [name for name in phi if name not in NORMS]
    for t in range(3):
        if t and learner.later_norms:
            phi = phi | {name: learner.later_norms[i][t - 1] for i, name in enumerate(NORMS)}
        grads = inner_gradient(learner, phi, support, names, create_graph=True)
        grads = {name: g if create_graph else g.detach() for name, g in grads.items()}
        phi = phi | {name: phi[name] - learner.rates[t, i] * grads[name] for i, name in enumerate(names)}
        steps.append(phi)
    return steps


MODELS = pytest.mark.parametrize("make", [images, curves])


@MODELS
@pytest.mark.parametrize(
    ("progress", "weights", "second_order"),
    [
        (0.0, (1 / 3, 1 / 3, 1 / 3), False),
        (0.05, (1 / 6, 1 / 6, 2 / 3), False),
        (0.1, (0, 0, 1), False),
        (0.3, (0, 0, 1), False),
        (0.34, (0, 0, 1), True),
        (0.99, (0, 0, 1), True),
    ],
)
def test_the_meta_gradient_is_that_of_the_annealed_losses_by_hand(make, progress, weights, second_order):
    learner = make(progress)
    support, query = task = noise_tasks(learner).at(0)
    each = [loss(learner, phi, support, query) for phi in iterates(learner, support, create_graph=second_order)]
    by_hand = torch.stack([w * value for w, value in zip(weights, each, strict=True)]).sum()
    torch.testing.assert_close(learner.meta_loss(task), by_hand, rtol=1e-12, atol=0)
    assert_equal(meta_gradient(learner, task), gradient(learner, by_hand))


@MODELS
@pytest.mark.parametrize("progress", [0.05, 0.5])
def test_at_second_order_the_meta_gradient_is_that_of_central_differences(make, progress, monkeypatch):
    monkeypatch.setattr("quickstudy.learners.maml_pp.FIRST_ORDER", 0.0)
    learner = make(progress)
    assert_central_differences(learner, noise_tasks(learner).at(0))


@MODELS
def test_predictions_are_those_of_the_last_step_whenever_they_are_asked_for(make):
    learner = make()
    support, query = noise_tasks(learner).at(0)
    by_hand = loss(learner, iterates(learner, support, create_graph=False)[-1], support, query)
    for progress in (0.0, 0.05, 0.5):
        learner.anneal(progress)
        prediction = learner.adapt(support)(query.x)
        torch.testing.assert_close(learner.prediction_loss(prediction, query.y), by_hand, rtol=1e-12, atol=0)


def test_every_rate_and_every_norm_of_every_step_is_learned():
    learner = images(progress=0.5, learned_head=True)
    learner.meta_loss(noise_tasks(learner).at(0)).backward()
    assert learner.rates.shape == (3, 4 + 2)  # steps, convolutions and the head's two
    assert [p.shape for p in learner.later_norms] == [(2, 4)] * 8
    assert learner.rates.grad.all()
    assert all(p.grad[t].any() for p in learner.later_norms for t in range(2))


def test_a_loop_that_goes_on_anneals_as_one_that_never_stopped():
    def loop(learner: MAMLPlusPlus, optimizer: torch.optim.Optimizer, state: State):
        return outer_loop(learner, Sinusoid(), optimizer, steps=6, tasks_per_step=2, state=state)

    torch.manual_seed(0)
    whole = MAMLPlusPlus(MLP(1, (8, 8)), 1, inner_lr=0.01, inner_steps=2, loss="mse")
    stopped = copy.deepcopy(whole)
    optimizers = [torch.optim.SGD(learner.parameters(), 0.01) for learner in (whole, stopped)]
    list(loop(whole, optimizers[0], State()))
    state = State()
    list(islice(loop(stopped, optimizers[1], state), 3))
    assert stopped.progress == 2 / 6
    stopped.anneal(0.0)  # as it is when built again
    list(loop(stopped, optimizers[1], state))
    for a, b in zip(whole.parameters(), stopped.parameters(), strict=True):
        assert torch.equal(a, b)


def test_no_inner_step_is_refused():
    with pytest.raises(SettingError, match=r"inner_steps=0 .* use at least 1"):
        MAMLPlusPlus(MLP(2, (8,)), inner_steps=0)


def test_in_a_loop_of_ones_own_its_gradient_is_exact():
    torch.manual_seed(0)
    learner = MAMLPlusPlus(MLP(3, (5,), "tanh"), 3, inner_lr=0.1, inner_steps=2, learned_head=True).double().train()
    task = noise_tasks(learner).at(0)
    assert learner.step_weights() == [0.0, 1.0]
    parameters = [p for p in learner.parameters() if p.numel()]
    gradients = torch.autograd.grad(learner.meta_loss(task), parameters, materialize_grads=True)
    for p, g in zip(parameters, gradients, strict=True):
        way = torch.randn(p.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
        losses = []
        for step in (1e-5, -2e-5):
            with torch.no_grad():
                p += step * way
            losses.append(learner.meta_loss(task).item())
        with torch.no_grad():
            p += 1e-5 * way
        assert (losses[0] - losses[1]) / 2e-5 == pytest.approx((g * way).sum().item(), rel=1e-5, abs=1e-9)


def test_norms_that_are_frozen_stay_so_in_every_step():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(2, 6), nn.BatchNorm1d(6, affine=False), nn.Linear(6, 4))
    learner = MAMLPlusPlus(convert_norms(net), 3, inner_steps=3).train()
    assert [p.requires_grad for p in learner.later_norms] == [False, False]
    before = [p.clone() for p in learner.later_norms]
    task = noise_tasks(MAMLPlusPlus(MLP(2, (6,)), 3)).at(0)
    learner.meta_loss(task).backward()
    assert all(p.grad is None for p in learner.later_norms)
    assert all(map(torch.equal, before, learner.later_norms))
