"""Trust region policy optimisation: a natural gradient step of limited divergence."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


def conjugate_gradient(product: Callable[[Tensor], Tensor], b: Tensor, steps: int, tolerance: float = 1e-10) -> Tensor:
    """Return x with A x = b, approximately.

    Args:
        product: Function v -> A v of a symmetric positive definite matrix A.
        b: Right side, (n,).
        steps: Largest number of steps.
        tolerance: Squared residual, relative to that of zero, at which it stops.

    >>> conjugate_gradient(lambda v: torch.tensor([2.0, 4.0]) * v, torch.tensor([2.0, 2.0]), steps=2)
    tensor([1.0000, 0.5000])
    """
    x, r = torch.zeros_like(b), b.clone()
    p, rr = r.clone(), r @ r
    goal = tolerance * rr
    for _ in range(steps):
        if rr <= goal:
            break
        ap = product(p)
        alpha = rr / (p @ ap)
        x, r = x + alpha * p, r - alpha * ap
        before, rr = rr, r @ r
        p = r + rr / before * p
    return x


class Step(NamedTuple):
    """Result of a step.

    Attributes:
        weights: New weights, (n,); the old ones if no step was accepted.
        loss: Loss at them.
        kl: Divergence from the old policy.
        accepted: Whether a step was taken.
    """

    weights: Tensor
    loss: float
    kl: float
    accepted: bool


@dataclass(frozen=True)
class TrustRegion:
    """Step along the natural gradient, as long as the divergence and the loss allow.

    Args:
        max_kl: Largest mean divergence.
        cg_steps: Steps of the conjugate gradient.
        damping: Number added to the diagonal of the curvature.
        backtracks: Largest number of shorter steps that are tried.
        shrink: Factor between two of them.

    Source: Schulman et al. 2015, appendix C, arXiv:1502.05477; the numbers are rllab's, except for the damping.
    """

    max_kl: float = 0.01
    cg_steps: int = 10
    damping: float = 1e-2
    backtracks: int = 15
    shrink: float = 0.8

    def step(
        self,
        weights: Tensor,
        loss: float,
        gradient: Tensor,
        curvature: Callable[[Tensor], Tensor],
        evaluate: Callable[[Tensor], tuple[float, float]],
    ) -> Step:
        """Return new weights.

        Args:
            weights: Weights, (n,).
            loss: Loss at the weights.
            gradient: Gradient of the loss, (n,).
            curvature: Function v -> H v, where H is the Hessian of the divergence at the weights.
            evaluate: Function from weights to loss and divergence.
        """

        def product(v: Tensor) -> Tensor:
            return curvature(v) + self.damping * v

        direction = conjugate_gradient(product, gradient, self.cg_steps)
        size = (2 * self.max_kl / (direction @ product(direction)).clamp(min=1e-12)).sqrt()
        for k in range(self.backtracks):
            new = weights - size * self.shrink**k * direction
            after, kl = evaluate(new)
            if after < loss and kl <= self.max_kl:  # False for NaN
                return Step(new, after, kl, True)
        return Step(weights, loss, 0.0, False)
