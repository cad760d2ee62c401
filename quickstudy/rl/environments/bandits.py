"""Bernoulli bandits."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from torch import Tensor

from quickstudy.rl.environments.base import Discrete, Environment, Transition, for_episodes


class Bandits(Environment):
    """Slot machines with several arms: arm k pays 1 with probability p_k, drawn from U[0, 1], and else 0.

    An episode is one pull. The observation is always 1, since there is nothing to see.

    Args:
        arms: Number of arms.

    Source: Duan et al. 2016, section 3.1, arXiv:1611.02779.

    >>> import torch
    >>> bandits = Bandits(arms=2)
    >>> state, _ = bandits.reset(torch.tensor([[0.0, 0.7]]), n_episodes=2, noise=torch.empty(1, 2, 1))
    >>> bandits.step(state, torch.tensor([[1, 1]]), torch.tensor([[[0.6], [0.8]]])).reward
    tensor([[1., 0.]])
    """

    observation_size = 1
    horizon = 1
    noise = 1
    about: ClassVar[str] = "arms that pay with unknown probabilities"

    def __init__(self, arms: int = 5) -> None:
        self.arms = arms
        self.actions, self.hint_size = Discrete(arms), arms

    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return the probability of each arm, (arms,)."""
        return rng.random(self.arms, np.float32)

    def reset(self, tasks: Tensor, n_episodes: int, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Return the arms' probabilities as the state."""
        arms = for_episodes(tasks, n_episodes)
        return arms, arms.new_ones(*arms.shape[:2], 1)

    def step(self, state: Tensor, action: Tensor, noise: Tensor) -> Transition:
        """Pull one arm in each episode."""
        chance = state.gather(-1, action.unsqueeze(-1))
        reward = (noise < chance).to(state.dtype).squeeze(-1)
        return Transition(state, state.new_ones(*state.shape[:2], 1), reward)

    def hint(self, tasks: Tensor) -> Tensor:
        """Return the arms' probabilities."""
        return tasks
