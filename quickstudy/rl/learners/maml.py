"""MAML for policies: policy gradients inside, a trust region outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn.utils import parameters_to_vector, vector_to_parameters
from torch.optim import Optimizer

from quickstudy.learners.inner import Params
from quickstudy.rl.baseline import Batch
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.learners.gradient import GradientAgent
from quickstudy.rl.policy import Policy
from quickstudy.rl.ranges import check_range
from quickstudy.rl.rollout import Draws
from quickstudy.rl.surrogate import distribution_of, mean_kl, ratio_loss
from quickstudy.rl.trust_region import TrustRegion

Vectors = list[Tensor]
"""One tensor per parameter, (n_tasks, *shape)."""


class Chain:
    """Product of the Jacobians of several updates, from the weights before to those after.

    The Jacobian of an update is I - rate * Hessian of the inner loss, a symmetric matrix per task. So one backward pass
    through an update multiplies by it and by its transpose, and no third derivative is needed.

    Attributes:
        params: Weights after the updates so far, one per task, as constants.
    """

    def __init__(self, params: Params) -> None:
        self.params = params
        self._links: list[tuple[Vectors, Vectors]] = []

    def extend(self, agent: GradientAgent, batch: Batch, *, first_order: bool) -> None:
        """Update every task's weights on its own episodes."""
        leaves = {name: p.detach().requires_grad_() for name, p in self.params.items()}
        after = agent.updated(leaves, batch, len(self._links), first_order=first_order)
        self._links.append((list(leaves.values()), list(after.values())))
        self.params = {name: p.detach() for name, p in after.items()}

    def forwards(self, v: Vectors) -> Vectors:
        """Return the Jacobian times a vector, per task."""
        for leaves, after in self._links:
            v = list(torch.autograd.grad(after, leaves, v, retain_graph=True))
        return v

    def backwards(self, v: Vectors) -> Vectors:
        """Return the transposed Jacobian times a vector, per task."""
        for leaves, after in reversed(self._links):
            v = list(torch.autograd.grad(after, leaves, v, retain_graph=True))
        return v


class MAML(GradientAgent):
    """MAML: a policy from which a few policy gradient steps on a task's episodes lead to a high return.

    The outer gradient is that of the mean return after the updates, through the updates. The episodes before an update
    are a part of the update: the expectation over them is inside the updated weights. They get no further credit.
    This is formulation I of Rothfuss et al. 2019, arXiv:1810.06784. ``surrogate`` describes the estimators of the inner
    Hessian.

    The outer step is one of TRPO. Its curvature is that of the adapted policies' divergence, J^T F J with the Jacobian
    J of the updates. At the old weights this is the exact Hessian, since the divergence has no gradient there.

    Args:
        environment: Environment whose observations and actions the policy has.
        inner_steps: Updates in training.
        first_order: Treat the inner gradients as constants.
        max_kl: Largest mean divergence of the adapted policies in an outer step.
        cg_steps: Steps of the conjugate gradient.
        damping: Number added to the diagonal of the curvature.
        curvature_episodes: Episodes per task that estimate the curvature. The gradient and the line search use all.
        options: Other arguments, as of ``GradientAgent``.

    Source: Finn et al. 2017, algorithm 3, arXiv:1703.03400.

    >>> from quickstudy.rl.environments.mdps import MDPs
    >>> agent, mdps = MAML(MDPs(), hidden=(), n_episodes=4), MDPs()
    >>> figures = agent.improve(mdps, Draws(0, "train", 0, n_tasks=3), agent.optimizer(0.1))
    >>> figures["kl"] <= 0.01
    True
    """

    outer_lr = None

    def __init__(
        self,
        environment: Environment,
        *,
        inner_steps: int = 1,
        first_order: bool = False,
        max_kl: float = 0.01,
        cg_steps: int = 10,
        damping: float = 1e-2,
        curvature_episodes: int = 4,
        **options: Any,
    ) -> None:
        super().__init__(environment, **options)
        check_range(0, inner_steps=inner_steps, damping=damping)
        check_range(1, cg_steps=cg_steps, curvature_episodes=curvature_episodes)
        check_range(1e-9, max_kl=max_kl)
        self.inner_steps, self.first_order = inner_steps, first_order
        self.max_kl, self.cg_steps, self.damping = max_kl, cg_steps, damping
        self.curvature_episodes = curvature_episodes

    def optimizer(self, lr: float) -> Optimizer:
        """Return an optimiser that is not used: the trust region decides the outer step."""
        return torch.optim.SGD(self.parameters(), lr)

    def chain(self, batches: Sequence[Batch], n_tasks: int) -> Chain:
        """Return the updates on each task's episodes, from the policy's weights."""
        chain = Chain(self.stacked(n_tasks))
        for batch in batches:
            chain.extend(self, batch, first_order=self.first_order)
        return chain

    def meta_gradient(self, chain: Chain, outer: Batch) -> Tensor:
        """Return the gradient of minus the mean return after the updates, (n,).

        Args:
            chain: Updates from the policy's weights.
            outer: Steps that the updated policies took.
        """
        leaves = {name: p.detach().requires_grad_() for name, p in chain.params.items()}
        with torch.no_grad():
            old = distribution_of(self.policy, leaves, outer).log_prob(outer.actions)
        loss = ratio_loss(self.policy, leaves, outer, old)
        return _summed(chain.backwards(list(torch.autograd.grad(loss, list(leaves.values())))))

    def curvature(self, chain: Chain, outer: Batch, params: Params | None = None) -> Callable[[Tensor], Tensor]:
        """Return the function v -> H v, where H is the Hessian of the adapted policies' mean divergence.

        Args:
            chain: Updates whose Jacobian is used.
            outer: Steps over which the divergence is averaged.
            params: Weights after the updates; those of the chain if None.
        """
        fisher = _fisher(self, params or chain.params, outer)

        def product(v: Tensor) -> Tensor:
            return _summed(chain.backwards(fisher(chain.forwards(_each(v, self.policy, len(outer.weights))))))

        return product

    def improve(self, environment: Environment, draws: Draws, optimizer: Optimizer) -> dict[str, float]:
        """Take one outer step."""
        tasks = draws.tasks(environment)
        chain, batches, before = Chain(self.stacked(draws.n_tasks)), [], []
        for t in range(self.inner_steps):
            before.append(self.play(environment, tasks, draws, t, chain.params, self.n_episodes))
            batches.append(self.batch(before[-1]))
            chain.extend(self, batches[-1], first_order=self.first_order)
        after = self.play(environment, tasks, draws, self.inner_steps, chain.params, self.n_episodes)
        step = self._step(chain, batches, self.batch(after))
        first = (before or [after])[0]
        return {
            "return": first.returns.mean().item(),
            "adapted": after.returns.mean().item(),
            "steps": sum(float(each.alive.sum()) for each in (*before, after)),
            **step,
        }

    def _step(self, chain: Chain, batches: Sequence[Batch], outer: Batch) -> dict[str, float]:
        """Move the policy's weights within the trust region."""
        weights = list(self.policy.parameters())
        with torch.no_grad():
            old = distribution_of(self.policy, chain.params, outer)
            old_log_prob = old.log_prob(outer.actions)
        k, n_tasks = self.curvature_episodes, len(outer.weights)
        curvature = self.curvature(
            self.chain([batch.first(k) for batch in batches], n_tasks), outer.first(k), chain.params
        )

        def evaluate(vector: Tensor) -> tuple[float, float]:
            names = self.policy.params()
            new = dict(zip(names, _each(vector, self.policy, n_tasks), strict=True))
            with torch.no_grad():
                for t, batch in enumerate(batches):
                    new = self.updated(new, batch, t)
                loss = ratio_loss(self.policy, new, outer, old_log_prob)
                return loss.item(), mean_kl(self.policy, new, outer, old).item()

        now = parameters_to_vector(weights).detach()
        gradient = self.meta_gradient(chain, outer)
        loss = -(outer.weights * outer.advantages).sum((1, 2)).mean().item()
        region = TrustRegion(self.max_kl, self.cg_steps, self.damping)
        step = region.step(now, loss, gradient, curvature, evaluate)
        with torch.no_grad():
            vector_to_parameters(step.weights, weights)
        return {"kl": step.kl, "gain": loss - step.loss, "accepted": float(step.accepted)}


def _fisher(agent: GradientAgent, params: Params, batch: Batch) -> Any:
    """Return the product with the Hessian of the mean divergence in each task's weights."""
    leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
    kl = mean_kl(agent.policy, leaves, batch, distribution_of(agent.policy, params, batch))
    at = list(leaves.values())
    slope = torch.autograd.grad(kl, at, create_graph=True)

    def product(v: Vectors) -> Vectors:
        return list(torch.autograd.grad(slope, at, v, retain_graph=True))

    return product


def _each(vector: Tensor, policy: Policy, n_tasks: int) -> Vectors:
    """Return a flat vector as one tensor per parameter, repeated for every task."""
    like = list(policy.parameters())
    parts = torch.split(vector, [p.numel() for p in like])
    return [part.view_as(p).expand(n_tasks, *p.shape) for part, p in zip(parts, like, strict=True)]


def _summed(vectors: Vectors) -> Tensor:
    """Return the sum over tasks as a flat vector."""
    return torch.cat([v.sum(0).flatten() for v in vectors])
