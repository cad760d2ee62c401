"""Returns of an agent on new tasks after 0, 1, 2, ... updates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from quickstudy.io.console import shown
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.learners.base import Agent
from quickstudy.rl.ranges import check_range
from quickstudy.rl.rollout import Draws

BATCH = 20
"""Number of tasks that are played together. It is fixed, since a task depends on the number of its batch."""


@dataclass(frozen=True)
class Returns:
    """Mean returns over new tasks after each number of updates, undiscounted.

    Attributes:
        means: Mean return after 0, 1, 2, ... updates.
        ci95: Half width of the 95 % interval of each mean over tasks, 1.96 standard errors.
        n_tasks: Number of tasks.
        n_episodes: Episodes per task and update.
        values: Mean return of each task, (updates + 1, n_tasks).
    """

    means: tuple[float, ...]
    ci95: tuple[float, ...]
    n_tasks: int
    n_episodes: int
    values: Tensor

    def __str__(self) -> str:
        pairs = zip(self.means, self.ci95, strict=True)
        words = " / ".join(f"{mean:.2f} ± {ci:.2f}" for mean, ci in pairs)
        return f"return after 0 to {len(self.means) - 1} updates: {words}, over {self.n_tasks} tasks"

    def summary(self) -> dict[str, Any]:
        """Return everything except ``values``, for JSON."""
        return {"means": self.means, "ci95": self.ci95, "n_tasks": self.n_tasks, "n_episodes": self.n_episodes}


def evaluate(
    agent: Agent,
    environment: Environment,
    *,
    n_tasks: int = 100,
    updates: int = 3,
    n_episodes: int = 20,
    seed: int = 0,
    split: str = "test",
) -> Returns:
    """Let an agent adapt to new tasks, and return its mean returns after each update.

    The episodes after update t are new ones, played by the updated policy. Update t + 1 learns from them.

    Args:
        agent: Agent, which is not changed.
        environment: Distribution of environments.
        n_tasks: Number of new tasks.
        updates: Number of updates.
        n_episodes: Episodes per task and update.
        seed: Seed of the tasks and the episodes.
        split: Name of the tasks; training uses "train".

    Raises:
        SettingError: A number is out of range; fewer than two tasks give no interval. Or the environment has other
            observations or actions than the agent.

    >>> from quickstudy.rl.environments.navigation import Navigation
    >>> from quickstudy.rl.learners.maml import MAML
    >>> navigation = Navigation(horizon=5)
    >>> len(evaluate(MAML(navigation, hidden=(8,)), navigation, n_tasks=2, updates=1).means)
    2
    """
    agent.check_fits(environment)
    check_range(2, n_tasks=n_tasks)  # one task gives no interval
    check_range(0, updates=updates, seed=seed)
    check_range(1, n_episodes=n_episodes)
    parts = []
    for step, first in enumerate(shown(range(0, n_tasks, BATCH), "evaluating")):
        draws = Draws(seed, split, step, min(BATCH, n_tasks - first))
        each = agent.adaptation(environment, draws.tasks(environment), draws, updates, n_episodes)
        parts.append(torch.stack([trajectories.returns.mean(1) for trajectories in each]))
    values = torch.cat(parts, 1).double()
    ci95 = 1.96 * values.std(1) / n_tasks**0.5
    return Returns(tuple(values.mean(1).tolist()), tuple(ci95.tolist()), n_tasks, n_episodes, values)
