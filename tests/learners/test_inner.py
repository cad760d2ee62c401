import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.func import grad, jacrev

from quickstudy.errors import SettingError
from quickstudy.learners.inner import (
    INNER_RULES,
    UNROLLED,
    Adam,
    LearnedRates,
    Params,
    RmsProp,
    Sgd,
    descend,
    rule_named,
)

NUMBERS = st.floats(-3, 3).filter(lambda x: abs(x) > 1e-3)


def quadratic(params: Params, data: tuple[()], t: int) -> Tensor:
    return (params["w"] ** 2 * torch.tensor([0.5, 2.0], dtype=torch.float64)).sum() + params["b"].sin().sum()


def start() -> Params:
    return {"w": torch.tensor([1.0, -0.7]).double(), "b": torch.tensor([[0.3], [2.0]]).double()}


@settings(max_examples=50, deadline=None)
@given(w=NUMBERS, target=NUMBERS, curvature=st.floats(0, 2), lr=st.floats(0, 1), steps=st.integers(0, 6))
def test_descent_of_a_parabola_is_known_in_closed_form_with_its_derivative(w, target, curvature, lr, steps):
    def end(w: Tensor) -> Tensor:
        return descend(lambda p, data, t: 0.5 * curvature * (p["w"] - target) ** 2, {"w": w}, (), Sgd(lr), steps)["w"]

    shrink = (1 - lr * curvature) ** steps
    w = torch.tensor(w, dtype=torch.float64)
    torch.testing.assert_close(end(w), target + shrink * (w - target))
    torch.testing.assert_close(jacrev(end)(w), torch.tensor(shrink, dtype=torch.float64))


@pytest.mark.parametrize(
    ("rule", "theirs_is"),
    [
        (Sgd(0.1), lambda p: torch.optim.SGD(p, lr=0.1)),
        (Sgd(0.1, momentum=0.9), lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9)),
        (Adam(0.1, eps=1e-30), lambda p: torch.optim.Adam(p, lr=0.1, betas=(0.0, 0.999), eps=1e-30)),
        (
            Adam(0.1, beta1=0.9, eps=1e-30, weight_decay=0.3),
            lambda p: torch.optim.AdamW(p, lr=0.1, eps=1e-30, weight_decay=0.3),
        ),
        (RmsProp(0.1, eps=1e-30), lambda p: torch.optim.RMSprop(p, lr=0.1, eps=1e-30)),
    ],
)
def test_a_rule_walks_the_path_of_torch_optim(rule, theirs_is):
    theirs = {name: p.clone().requires_grad_() for name, p in start().items()}
    optimizer = theirs_is(theirs.values())
    for steps in range(1, 8):
        optimizer.zero_grad()
        quadratic(theirs, (), 0).backward()
        optimizer.step()
        ours = descend(quadratic, start(), (), rule, steps)
        for name, p in theirs.items():
            torch.testing.assert_close(ours[name], p.detach(), rtol=1e-12, atol=1e-12)


def test_adam_with_its_usual_eps_is_torch_adam_to_eps():
    theirs = torch.tensor([1.0, -2.0]).double().requires_grad_()
    optimizer = torch.optim.Adam([theirs], lr=0.01, betas=(0.0, 0.999))
    for _ in range(20):
        optimizer.zero_grad()
        (theirs**2).sum().backward()
        optimizer.step()
    ours = descend(
        lambda p, data, t: (p["w"] ** 2).sum(), {"w": torch.tensor([1.0, -2.0]).double()}, (), Adam(0.01), 20
    )["w"]
    torch.testing.assert_close(ours, theirs.detach(), rtol=1e-7, atol=0)


def test_a_gradient_as_small_as_eps_takes_the_share_of_a_step_that_the_root_says():
    step = descend(lambda p, data, t: 0.1 * p["w"], {"w": torch.tensor(0.0).double()}, (), Adam(1.0, eps=0.1), 1)["w"]
    assert step.item() == pytest.approx(-(0.5**0.5))


@pytest.mark.parametrize("steps", [1, 3])
def test_the_meta_gradient_through_adam_is_finite_where_a_gradient_is_zero(steps):
    def outer(w: Tensor) -> Tensor:
        return descend(lambda p, data, t: (p["w"][0] ** 2).sum(), {"w": w}, (), Adam(0.1), steps)["w"].sum()

    slope = grad(outer)(torch.tensor([1.0, 2.0]))  # nothing pulls at w[1]: its second moment stays 0
    assert torch.isfinite(slope).all()
    assert slope[1] == 1


@pytest.mark.parametrize("rule", [Sgd(0.1), Adam(0.1)])
def test_the_derivative_of_where_it_ends_is_that_of_finite_differences(rule):
    direction = {"w": torch.tensor([0.6, -1.1]).double(), "b": torch.tensor([[1.3], [-0.2]]).double()}

    def end(s: Tensor) -> Tensor:
        params = {name: p + s * direction[name] for name, p in start().items()}
        return torch.cat([p.flatten() for p in descend(quadratic, params, (), rule, 4).values()])

    zero, h = torch.tensor(0.0).double(), 1e-5
    numeric = (end(zero + h) - end(zero - h)) / (2 * h)
    torch.testing.assert_close(jacrev(end)(zero), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("rule", [Sgd(0.1), Adam(0.1)])
def test_first_order_ends_at_the_same_place_with_the_derivative_one(rule):
    def end(w: Tensor, first_order: bool) -> Tensor:
        return descend(quadratic, start() | {"w": w}, (), rule, 3, first_order=first_order)["w"]

    w = start()["w"]
    assert torch.equal(end(w, True), end(w, False))
    assert torch.equal(jacrev(end)(w, True), torch.eye(2).double())
    assert not torch.allclose(jacrev(end)(w, False), torch.eye(2).double(), rtol=0.01)


@pytest.mark.parametrize("steps", [1, 4, 7])
def test_learned_rates_have_the_derivative_of_finite_differences(steps):
    direction = {"w": torch.tensor([0.6, -1.1]).double(), "b": torch.tensor(0.7).double()}

    def end(s: Tensor) -> Tensor:
        rule = LearnedRates({name: 0.1 + s * d for name, d in direction.items()})  # a rate a number, or one for all
        return torch.cat([p.flatten() for p in descend(quadratic, start(), (), rule, steps).values()])

    zero, h = torch.tensor(0.0).double(), 1e-5
    numeric = (end(zero + h) - end(zero - h)) / (2 * h)
    torch.testing.assert_close(jacrev(end)(zero), numeric, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("steps", [1, 3, 7])
def test_equal_learned_rates_are_those_of_plain_descent(steps):
    rates = {name: torch.tensor(0.1, dtype=torch.float64) for name in start()}
    ours, plain = (descend(quadratic, start(), (), rule, steps) for rule in (LearnedRates(rates), Sgd(0.1)))
    for name, p in plain.items():
        torch.testing.assert_close(ours[name], p, rtol=1e-14, atol=0)


@pytest.mark.parametrize("inside", [False, True])
def test_a_parameter_made_of_another_is_a_parameter_of_its_own(inside):
    def end(a: Tensor) -> Tensor:
        return descend(lambda p, data, t: p["a"] * p["b"] ** 2, {"a": a, "b": 3 * a}, (), Sgd(0.1), 1)["a"]

    a = torch.tensor(2.0, requires_grad=True)
    ours = torch.vmap(end)(a[None])[0] if inside else end(a)
    assert ours.item() == pytest.approx(2 - 0.1 * 36)  # b^2, with nothing of 2ab db/da
    assert torch.autograd.grad(ours, a)[0].item() == pytest.approx(1 - 0.1 * 36)  # of a - 0.1 (3a)^2


def test_the_loss_is_told_the_step():
    seen: list[int] = []

    def loss(params: Params, data: tuple[()], t: int) -> Tensor:
        seen.append(t)
        return params["w"].sum() * t

    out = descend(loss, {"w": torch.zeros(1, requires_grad=True)}, (), Sgd(1.0), 4)
    assert seen == [0, 1, 2, 3]
    assert out["w"].item() == -6


@pytest.mark.parametrize("first_order", [False, True])
def test_the_start_is_left_as_it_was(first_order):
    params = {name: p.requires_grad_() for name, p in start().items()}
    descend(quadratic, params, (), Adam(0.1), 3, first_order=first_order)
    assert all(
        torch.equal(p, before) and p.grad is None for p, before in zip(params.values(), start().values(), strict=True)
    )


@pytest.mark.parametrize("rule", [Sgd(0.1), Adam(0.1)])
def test_many_descents_at_once_are_each_alone(rule):
    starts = torch.linspace(-2, 2, 5).double()[:, None]

    def end(w: Tensor) -> Tensor:
        return descend(lambda p, data, t: (p["w"] ** 4).sum(), {"w": w}, (), rule, 3)["w"]

    torch.testing.assert_close(torch.vmap(end)(starts), torch.stack([end(w) for w in starts]), rtol=1e-14, atol=0)


@pytest.mark.parametrize("steps", [1, UNROLLED, UNROLLED + 1])
@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("kind", [Sgd, lambda lr: Sgd(lr, momentum=0.5), Adam, RmsProp])
def test_what_the_loss_or_the_rule_captures_has_its_gradient_too(kind, moving, steps):
    def end(target: Tensor, lr: Tensor) -> Tensor:
        start = {"w": torch.tensor([1.0, -2.0]).double().requires_grad_(moving)}
        return descend(lambda p, data, t: ((p["w"] - target) ** 2).sum(), start, (), kind(lr), steps)["w"].sum()

    captured = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in (0.3, 0.1)]
    assert torch.autograd.gradcheck(end, captured, rtol=1e-5)


@pytest.mark.parametrize("moving", [False, True])
@pytest.mark.parametrize("steps", [3, UNROLLED + 1])
def test_what_is_captured_has_its_gradient_under_vmap(steps, moving):
    scale = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    starts = torch.linspace(0.5, 2, 5).double()[:, None].requires_grad_(moving)

    def end(w: Tensor) -> Tensor:
        return descend(lambda p, data, t: scale * (p["w"] ** 4).sum(), {"w": w}, (), Sgd(0.05), steps)["w"]

    together, alone = (
        torch.autograd.grad(out.sum(), scale)[0] for out in (torch.vmap(end)(starts), sum(map(end, starts)))
    )
    torch.testing.assert_close(together, alone)
    assert alone.abs() > 0.01


def test_a_descent_that_nothing_differentiates_keeps_no_graph():
    start = {"w": torch.ones(3)}
    assert not descend(lambda p, x, t: ((p["w"] - x) ** 2).sum(), start, torch.zeros(3), Sgd(0.1), 3)["w"].requires_grad
    through = descend(lambda p, x, t: ((p["w"] - x) ** 2).sum(), start, torch.zeros(3, requires_grad=True), Sgd(0.1), 3)
    assert through["w"].requires_grad


@pytest.mark.parametrize("name", INNER_RULES)
@pytest.mark.parametrize("steps", [3, 8])  # with all graphs, and through the scan
def test_the_outer_gradient_passes_through_every_rule(name, steps):
    flat = torch.cat([p.flatten() for p in start().values()])

    def end(flat: Tensor) -> Tensor:
        params = {"w": flat[:2], "b": flat[2:].view(2, 1)}
        return torch.cat([p.flatten() for p in descend(quadratic, params, (), rule_named(name, 0.05), steps).values()])

    assert torch.autograd.gradcheck(end, flat.requires_grad_(), atol=1e-6)


def test_a_rule_of_ones_own_is_known_by_its_name(monkeypatch):
    monkeypatch.setitem(INNER_RULES, "slow", lambda lr: Sgd(lr / 10))
    assert rule_named("slow", 1.0) == Sgd(0.1)
    with pytest.raises(SettingError, match="unknown inner_rule 'momentun': did you mean 'momentum'"):
        rule_named("momentun", 1.0)


def test_nothing_to_adapt_is_nothing_to_do():
    assert descend(quadratic, {}, (), Sgd(0.1), 3) == {}
