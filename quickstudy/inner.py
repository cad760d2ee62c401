"""The inner loop: gradient descent on one task, as a pure function that an outer gradient can pass through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast

import torch
from torch import Tensor
from torch.func import grad
from torch.utils._pytree import tree_iter

from quickstudy.scan import scan

Params = dict[str, Tensor]
Data = TypeVar("Data")


class InnerRule(Protocol):
    """How a gradient becomes a step. Its state is passed along, never kept."""

    def init(self, params: Params) -> Params:
        """State before the first step."""
        ...

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Parameters and state after step ``t`` = 0, 1, ..."""
        ...


@dataclass(frozen=True)
class Sgd:
    """Plain gradient descent: params - lr * grad."""

    lr: float

    def init(self, params: Params) -> Params:
        """No state."""
        return {}

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """One step against the gradient."""
        return {name: torch.sub(p, grads[name], alpha=self.lr) for name, p in params.items()}, state


@dataclass(frozen=True)
class LearnedRates:
    """Gradient descent with rates that are tensors, of a parameter or of each of its entries: params - rates * grad.

    Source: Li et al. 2017, eq. 2, arXiv:1707.09835.
    """

    rates: Params

    def init(self, params: Params) -> Params:
        """The rates, so that the outer gradient reaches them through the state."""
        return self.rates

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """One step against the gradient."""
        return {name: p - state[name] * grads[name] for name, p in params.items()}, state


@dataclass(frozen=True)
class Adam:
    """Adam without momentum (beta1 = 0), the inner rule of Reptile's experiments.

    Args:
        lr: Step size.
        beta2: Decay of the second moment.
        eps: Keeps the root finite.

    Source: Nichol et al. 2018, section 6.1, arXiv:1803.02999. The second moments start afresh in every task: carried
    from task to task, as in the published code, adapting would change the learner.
    """

    lr: float
    beta2: float = 0.999
    eps: float = 1e-8

    def init(self, params: Params) -> Params:
        """Second moments, zero."""
        return {name: torch.zeros_like(p) for name, p in params.items()}

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """One step, scaled by the root of the bias-corrected second moment."""
        state = {name: self.beta2 * v + (1 - self.beta2) * grads[name] ** 2 for name, v in state.items()}
        corrected = 1 - self.beta2 ** (t + 1)
        # eps sits inside the root: d sqrt(v)/dv is infinite at v = 0, and the outer gradient passes here.
        return {
            name: p - self.lr * grads[name] / torch.sqrt(state[name] / corrected + self.eps**2)
            for name, p in params.items()
        }, state


UNROLLED = 5
"""Most second-order steps whose graphs are all kept. Beyond, ``scan`` computes each step twice: a third slower, in
constant memory."""


def descend(
    loss: Callable[[Params, Data, int], Tensor],
    params: Params,
    data: Data,
    rule: InnerRule,
    steps: int,
    *,
    first_order: bool = False,
) -> Params:
    """Parameters after some steps of descent.

    Args:
        loss: Scalar loss of parameters and data at step t. What is differentiated or mapped over must reach it through
            the two, not through its closure.
        params: Where to start.
        data: What the loss reads: examples, or any tuple or dict of tensors.
        rule: ``Sgd``, ``LearnedRates`` or ``Adam``.
        steps: Number of steps.
        first_order: Hold the inner gradients constant for the outer gradient, which then is first-order MAML's; if
            not, the outer gradient is exact.

    Returns:
        Adapted parameters, a differentiable function of ``params`` and ``data``.

    Source: Finn et al. 2017, eq. 1, arXiv:1703.03400.

    >>> def loss(params, x, t):
    ...     return ((params["w"] - x) ** 2).sum()
    >>> descend(loss, {"w": torch.ones(1)}, torch.zeros(1), Sgd(0.25), steps=2)["w"]
    tensor([0.2500])
    """

    def step(state: tuple[Params, Params], data: Data, t: int) -> tuple[Params, Params]:
        now, moments = state
        return rule.step(now, _gradient(loss, now, data, t, constant=first_order), moments, t)

    state = params, rule.init(params)
    if steps > UNROLLED and not first_order and torch.is_grad_enabled():
        return scan(step, state, data, steps)[0]
    for t in range(steps):
        state = step(state, data, t)
    return state[0]


def _gradient(
    loss: Callable[[Params, Data, int], Tensor], params: Params, data: Data, t: int, *, constant: bool
) -> Params:
    """Gradient of the loss; ``constant``: without a graph of its own."""
    constant = constant or not torch.is_grad_enabled()
    if torch._C._are_functorch_transforms_active():
        if not constant:
            return cast(Params, grad(loss)(params, data, t))
        with torch.no_grad():
            return cast(Params, grad(loss)({name: p.detach() for name, p in params.items()}, data, t))
    # Outside of vmap the same by autograd alone, up to a third faster where each operation is small.
    constant = constant or not any(x.requires_grad for part in (params.values(), tree_iter(data)) for x in part)
    with torch.enable_grad():
        # Views, for one parameter may be made of another (Proto-MAML's head is), whose gradient passes it by.
        leaves = {
            name: p.view_as(p) if p.requires_grad and not constant else p.detach().requires_grad_()
            for name, p in params.items()
        }
        grads = torch.autograd.grad(
            loss(leaves, data, t), list(leaves.values()), create_graph=not constant, materialize_grads=True
        )
    return dict(zip(leaves, grads, strict=True))
