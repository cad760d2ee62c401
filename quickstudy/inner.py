"""The inner loop: gradient descent on one task, as a pure function that an outer gradient can pass through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.func import grad

Params = dict[str, Tensor]


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
        return {name: p - self.lr * grads[name] for name, p in params.items()}, state


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


def descend(
    loss: Callable[[Params, int], Tensor],
    params: Params,
    rule: InnerRule,
    steps: int,
    *,
    first_order: bool = False,
) -> Params:
    """Parameters after some steps of descent.

    Args:
        loss: Scalar loss of parameters at step t.
        params: Where to start.
        rule: ``Sgd`` or ``Adam``.
        steps: Number of steps.
        first_order: Hold the inner gradients constant for the outer gradient, which then is first-order MAML's; if
            not, the outer gradient is exact.

    Returns:
        Adapted parameters, a differentiable function of ``params``.

    Source: Finn et al. 2017, eq. 1, arXiv:1703.03400.

    >>> out = descend(lambda p, t: (p["w"] ** 2).sum(), {"w": torch.tensor([1.0])}, Sgd(0.25), steps=2)
    >>> out["w"]
    tensor([0.2500])
    """
    state = rule.init(params)
    for t in range(steps):
        if first_order:
            with torch.no_grad():
                grads: Params = grad(loss)({name: p.detach() for name, p in params.items()}, t)
        else:
            grads = grad(loss)(params, t)
        params, state = rule.step(params, grads, state, t)
    return params
