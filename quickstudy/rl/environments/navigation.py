"""Navigation in the plane to a goal that the agent does not see."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from quickstudy.rl.environments.base import Continuous, Environment, Transition, for_episodes
from quickstudy.rl.ranges import check_range


class Navigation(Environment):
    """A point moves from the origin to a goal in the square [-0.5, 0.5]^2, and its reward is minus the distance.

    The observation is the position. Each coordinate of an action moves the point by at most 0.1.

    Args:
        horizon: Largest number of steps.
        ends: End the episode as soon as both coordinates are within 0.01 of the goal.

    Reward and end are those of the program of Finn et al. (``maml_examples/point_env_randgoal.py`` in
    ``github.com/cbfinn/maml_rl``). The paper says that the distance is squared, but the program does not square it.

    Source: Finn et al. 2017, section 5.3, arXiv:1703.03400.

    >>> environment = Navigation()
    >>> goals = torch.tensor([[0.3, 0.4]])
    >>> state, observation = environment.reset(goals, n_episodes=1, noise=torch.empty(1, 1, 0))
    >>> environment.step(state, torch.tensor([[[2.0, 0.0]]]), torch.empty(1, 1, 0)).observation
    tensor([[[0.1000, 0.0000]]])
    """

    observation_size = 2
    actions = Continuous(2)
    hint_size = 2
    about: ClassVar[str] = "a point moves to a goal; the reward is minus the distance"

    def __init__(self, horizon: int = 100, ends: bool = True) -> None:
        self.horizon, self.ends = horizon, ends

    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return a goal, (2,)."""
        return rng.uniform(-0.5, 0.5, 2).astype(np.float32)

    def reset(self, tasks: Tensor, n_episodes: int, noise: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor]:
        """Place all points at the origin."""
        goals = for_episodes(tasks, n_episodes)
        origin = torch.zeros_like(goals)
        return (goals, origin), origin

    def step(self, state: tuple[Tensor, Tensor], action: Tensor, noise: Tensor) -> Transition:
        """Move all points."""
        goals, position = state
        position = position + 0.1 * action.clamp(-1, 1)
        away = position - goals
        ended = (away.abs() < 0.01).all(-1) if self.ends else None
        return Transition((goals, position), position, self.reward(away.square().sum(-1).sqrt()), ended)

    def reward(self, distance: Tensor) -> Tensor:
        """Return the reward at a distance from the goal."""
        return -distance

    def hint(self, tasks: Tensor) -> Tensor:
        """Return the goals."""
        return tasks


class SparseNavigation(Navigation):
    """A point moves from the origin to a goal on a half circle, and is rewarded only near the goal.

    The reward is 1 - distance / radius within the radius of the goal, else 0. So the agent has to explore. An episode
    does not end before the horizon, since an early end would cost reward.

    Args:
        horizon: Number of steps.
        radius: Distance from the goal within which there is a reward.

    Source: Rakelly et al. 2019, section 6.3, arXiv:1903.08254, with steps of 0.1 and a half circle of radius 1.

    >>> SparseNavigation().reward(torch.tensor([0.1, 0.5]))
    tensor([0.5000, 0.0000])
    """

    about: ClassVar[str] = "a point moves to a goal on a half circle; the reward is zero far from it"

    def __init__(self, horizon: int = 20, radius: float = 0.2) -> None:
        super().__init__(horizon, ends=False)
        check_range(1e-6, radius=radius)
        self.radius = radius

    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return a goal on the half circle, (2,)."""
        angle = rng.uniform(0, np.pi)
        return np.array([np.cos(angle), np.sin(angle)], np.float32)

    def reward(self, distance: Tensor) -> Tensor:
        """Return the reward at a distance from the goal."""
        return (1 - distance / self.radius).clamp(min=0)
