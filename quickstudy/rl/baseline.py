"""Linear baseline, and advantages of actions."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from quickstudy.rl.rollout import Trajectories

RIDGE = 1e-5
"""Weight of the penalty of the linear fit, as in rllab."""


class Batch(NamedTuple):
    """Steps of episodes with their advantages: what a policy's loss reads. H is the horizon.

    Attributes:
        observations: Observations, (n_tasks, n_episodes * H, observation_size).
        actions: Actions, (n_tasks, n_episodes * H) or (n_tasks, n_episodes * H, size).
        advantages: Advantage of each action, (n_tasks, n_episodes, H).
        weights: Weight of each step in a task's mean, (n_tasks, n_episodes, H); 0 after the end of an episode.
    """

    observations: Tensor
    actions: Tensor
    advantages: Tensor
    weights: Tensor

    def first(self, n_episodes: int) -> Batch:
        """Return the steps of the first episodes of each task."""
        _, most, horizon = self.weights.shape
        n = min(n_episodes, most)
        weights = self.weights[:, :n] / self.weights[:, :n].sum((1, 2), keepdim=True)
        steps = n * horizon
        return Batch(self.observations[:, :steps], self.actions[:, :steps], self.advantages[:, :n], weights)


def discounted(rewards: Tensor, discount: float) -> Tensor:
    """Return the discounted sum of the rewards from each step on, over the last axis.

    Args:
        rewards: Rewards, (*, horizon).
        discount: Factor per step.

    >>> discounted(torch.tensor([1.0, 0.0, 4.0]), 0.5)
    tensor([2., 2., 4.])
    """
    total, sums = torch.zeros_like(rewards[..., 0]), []
    for reward in reversed(rewards.unbind(-1)):
        total = reward + discount * total
        sums.append(total)
    return torch.stack(sums[::-1], -1)


def features(trajectories: Trajectories) -> Tensor:
    """Return the features of each step, (n_tasks, n_episodes, horizon, n_features): observation, its square, and time.

    Source: Duan et al. 2016, "Benchmarking deep reinforcement learning", appendix, arXiv:1604.06778.
    """
    x = trajectories.observations.clamp(-10, 10)
    t = torch.arange(x.shape[2], dtype=x.dtype, device=x.device).view(-1, 1).expand(*x.shape[:3], 1) / 100
    return torch.cat([x, x.square(), t, t**2, t**3, torch.ones_like(t)], -1)


def values(trajectories: Trajectories, discount: float) -> Tensor:
    """Return a linear estimate of each step's discounted return, fitted per task, (n_tasks, n_episodes, horizon).

    The fit is a ridge regression in double precision. Features of steps after an episode's end count as zero.
    """
    x = (features(trajectories) * trajectories.alive.unsqueeze(-1)).double()
    y = discounted(trajectories.rewards, discount).double()
    rows, targets = x.flatten(1, 2), y.flatten(1, 2).unsqueeze(-1)
    penalty = RIDGE * torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(rows.mT @ rows + penalty, rows.mT @ targets)
    fitted: Tensor = rows @ weights
    return fitted.view_as(y).to(trajectories.rewards.dtype)


def advantages(trajectories: Trajectories, values: Tensor, discount: float, gae_lambda: float) -> Tensor:
    """Return generalised advantage estimates, (n_tasks, n_episodes, horizon). After the horizon, the value is 0.

    Args:
        trajectories: Episodes.
        values: Estimated value of each step, (n_tasks, n_episodes, horizon).
        discount: Factor per step.
        gae_lambda: 1 for returns minus values; less has a smaller variance and a bias.

    Source: Schulman et al. 2016, eq. 16, arXiv:1506.02438.
    """
    values = values * trajectories.alive
    after = torch.nn.functional.pad(values[..., 1:], (0, 1))
    surprise = trajectories.rewards + discount * after - values
    return discounted(surprise, discount * gae_lambda) * trajectories.alive


def batch_of(
    trajectories: Trajectories, *, discount: float = 0.99, gae_lambda: float = 1.0, normalise: bool = True
) -> Batch:
    """Return the steps of episodes with their advantages, by the linear baseline.

    Args:
        trajectories: Episodes of several tasks.
        discount: Factor per step.
        gae_lambda: Argument of ``advantages``.
        normalise: Give each task's advantages mean 0 and standard deviation 1.
    """
    a = advantages(trajectories, values(trajectories, discount), discount, gae_lambda)
    weights = trajectories.alive / trajectories.alive.sum((1, 2), keepdim=True)
    if normalise:
        a = a - (weights * a).sum((1, 2), keepdim=True)
        a = a / ((weights * a.square()).sum((1, 2), keepdim=True).sqrt() + 1e-8)
    return Batch(trajectories.observations.flatten(1, 2), trajectories.actions.flatten(1, 2), a, weights)
