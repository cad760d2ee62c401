"""Base of learners whose policies adapt by policy gradients."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Literal

import torch
from torch import Tensor

from quickstudy.learners.inner import Params, Sgd, descend
from quickstudy.rl.baseline import Batch, batch_of
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.learners.base import Agent
from quickstudy.rl.policy import LEAST_STD, Policy
from quickstudy.rl.ranges import check_range
from quickstudy.rl.rollout import Draws, Trajectories, rollout
from quickstudy.rl.surrogate import Estimator, check_estimator, surrogate
from quickstudy.tasks.tree import Tree


class GradientAgent(Agent):
    """Learner with a policy that adapts to a task by steps along the policy gradient.

    Args:
        environment: Environment whose observations and actions the policy has.
        hidden: Widths of the policy's hidden layers.
        activation: "relu" or "tanh".
        std: Initial standard deviation of continuous actions.
        inner_lr: Inner step size.
        later_lr: Factor of the step size from each update to the next.
        n_episodes: Episodes per task and update in training.
        discount: Discount factor of the advantages; reported returns are not discounted.
        gae_lambda: Parameter of the advantage estimates.
        estimator: "lvc", "dice" or "score" (see ``surrogate``).

    A policy that is trained for one update overshoots at the next ones if the step size stays, hence ``later_lr``. The
    program of Finn et al. halves the step size once, after the first update.
    """

    def __init__(
        self,
        environment: Environment,
        *,
        hidden: Sequence[int] = (100, 100),
        activation: Literal["tanh", "relu"] = "relu",
        std: float = 1.0,
        inner_lr: float = 0.5,
        later_lr: float = 0.35,
        n_episodes: int = 20,
        discount: float = 0.99,
        gae_lambda: float = 1.0,
        estimator: Estimator = "lvc",
    ) -> None:
        super().__init__(environment)
        check_estimator(estimator)
        check_range(0, inner_lr=inner_lr, later_lr=later_lr)
        check_range(1, n_episodes=n_episodes, hidden=min(hidden, default=1))
        check_range(0, 1, discount=discount, gae_lambda=gae_lambda)
        check_range(LEAST_STD, std=std)
        self.hidden, self.activation, self.std = tuple(hidden), activation, std
        self.inner_lr, self.later_lr = inner_lr, later_lr
        self.n_episodes, self.discount, self.gae_lambda, self.estimator = n_episodes, discount, gae_lambda, estimator
        self.policy = Policy.of(environment, hidden, activation=activation, std=std)

    def stacked(self, n_tasks: int) -> Params:
        """Return the policy's weights as constants, once per task."""
        return {name: p.detach().expand(n_tasks, *p.shape).clone() for name, p in self.policy.params().items()}

    def inner_loss(self, params: Params, batch: Batch, t: int = 0) -> Tensor:
        """Return the sum of the tasks' losses, so that each task's gradient depends on its own loss alone."""
        return surrogate(self.policy, params, batch, self.estimator).sum()

    def updated(self, params: Params, batch: Batch, t: int, *, first_order: bool = False) -> Params:
        """Return each task's weights after update ``t`` = 0, 1, ... on its own episodes."""
        rule = Sgd(self.inner_lr * self.later_lr**t)
        return descend(self.inner_loss, params, batch, rule, 1, first_order=first_order)

    def batch(self, trajectories: Trajectories) -> Batch:
        """Return the steps of episodes with their advantages."""
        return batch_of(trajectories, discount=self.discount, gae_lambda=self.gae_lambda)

    def play(
        self, environment: Environment, tasks: Tree, draws: Draws, t: int, params: Params | None, n_episodes: int
    ) -> Trajectories:
        """Play the episodes after ``t`` updates."""
        return rollout(environment, tasks, self.policy, draws.generators(f"rollout-{t}"), n_episodes, params)

    def adaptation(
        self, environment: Environment, tasks: Tree, draws: Draws, updates: int, n_episodes: int
    ) -> Iterator[Trajectories]:
        """Yield the episodes played after 0, 1, ..., ``updates`` updates."""
        params = self.stacked(draws.n_tasks)
        for t in range(updates + 1):
            trajectories = self.play(environment, tasks, draws, t, params, n_episodes)
            yield trajectories
            if t < updates:
                with torch.no_grad():
                    params = self.updated(params, self.batch(trajectories), t)
