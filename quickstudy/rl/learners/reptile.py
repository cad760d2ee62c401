"""Reptile for policies."""

from __future__ import annotations

from typing import Any

import torch
from torch.optim import Optimizer

from quickstudy.rl.environments.base import Environment
from quickstudy.rl.learners.gradient import GradientAgent
from quickstudy.rl.ranges import check_range
from quickstudy.rl.rollout import Draws


class Reptile(GradientAgent):
    """Reptile: moves the policy towards the weights that policy gradients lead to on each task.

    The outer gradient is theta minus the mean of the adapted weights. Under SGD with rate eps this is the paper's
    theta + eps * mean(phi - theta).

    Args:
        environment: Environment whose observations and actions the policy has.
        inner_steps: Updates per task in training, each on new episodes.
        options: Arguments of ``GradientAgent``.

    Source: Nichol et al. 2018, algorithm 2, arXiv:1803.02999.

    >>> from quickstudy.rl.environments.navigation import Navigation
    >>> navigation = Navigation(horizon=5)
    >>> agent = Reptile(navigation, hidden=(8,), n_episodes=4)
    >>> sorted(agent.improve(navigation, Draws(0, "train", 0, 2), agent.optimizer(0.1)))
    ['adapted', 'return', 'steps']
    """

    def __init__(self, environment: Environment, *, inner_steps: int = 3, **options: Any) -> None:
        super().__init__(environment, **options)
        check_range(1, inner_steps=inner_steps)
        self.inner_steps = inner_steps

    def optimizer(self, lr: float) -> Optimizer:
        """Return gradient descent, whose rate is the share of the way to the adapted weights."""
        return torch.optim.SGD(self.parameters(), lr)

    def improve(self, environment: Environment, draws: Draws, optimizer: Optimizer) -> dict[str, float]:
        """Take one outer step."""
        tasks, params = draws.tasks(environment), self.stacked(draws.n_tasks)
        returns, steps = [], 0.0
        for t in range(self.inner_steps + 1):
            episodes = self.play(environment, tasks, draws, t, params, self.n_episodes)
            returns.append(episodes.returns.mean().item())
            steps += float(episodes.alive.sum())
            if t < self.inner_steps:
                with torch.no_grad():
                    params = self.updated(params, self.batch(episodes), t)
        for name, p in self.policy.params().items():
            p.grad = p.detach() - params[name].mean(0)
        optimizer.step()
        return {"return": returns[0], "adapted": returns[-1], "steps": steps}
