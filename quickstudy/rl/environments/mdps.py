"""Random Markov decision processes with few states."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from quickstudy.rl.environments.base import Discrete, Environment, Transition
from quickstudy.rl.ranges import check_range

Tables = tuple[Tensor, Tensor]
"""Chances to arrive in a state or in one before it, (states, actions, states), and mean rewards, (states, actions)."""


class MDPs(Environment):
    """Markov decision processes whose tables are drawn at random; the agent sees the state it is in.

    The next state's probabilities are drawn from a flat Dirichlet distribution for each state and action. The mean
    reward of each is drawn from N(1, 1), and a reward from N(mean, 1). An episode begins in state 0.

    Args:
        states: Number of states; an observation is one-hot.
        n_actions: Number of actions.
        horizon: Number of steps.
        spread: Standard deviation of a reward around its mean.

    Source: Duan et al. 2016, section 3.2, arXiv:1611.02779.

    >>> mdps = MDPs()
    >>> tasks = mdps.sample_tasks(seed=0, split="train", step=0, n_tasks=3)
    >>> [table.shape for table in tasks]
    [torch.Size([3, 10, 5, 10]), torch.Size([3, 10, 5])]
    """

    noise = 2
    about: ClassVar[str] = "tables of states, actions and rewards, drawn at random"

    def __init__(self, states: int = 10, n_actions: int = 5, horizon: int = 10, spread: float = 1.0) -> None:
        check_range(0, spread=spread)
        self.states, self.n_actions, self.horizon, self.spread = states, n_actions, horizon, spread
        self.observation_size, self.actions = states, Discrete(n_actions)
        self.hint_size = states * n_actions * (states + 1)

    def task(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """Return the tables of one process."""
        chances = rng.dirichlet(np.ones(self.states), (self.states, self.n_actions))
        means = rng.normal(1, 1, (self.states, self.n_actions))
        return chances.cumsum(-1).astype(np.float32), means.astype(np.float32)

    def reset(self, tasks: Tables, n_episodes: int, noise: Tensor) -> tuple[tuple[Tables, Tensor], Tensor]:
        """Begin in state 0."""
        place = torch.zeros(len(tasks[1]), n_episodes, dtype=torch.int64, device=tasks[1].device)
        return (tasks, place), self._seen(place, tasks)

    def step(self, state: tuple[Tables, Tensor], action: Tensor, noise: Tensor) -> Transition:
        """Act, and receive a reward of the state that was left."""
        (chances, means), place = state
        row = torch.arange(len(place), device=place.device).unsqueeze(1)
        # The normal number comes from the uniform one: torch's own draws would need a generator.
        normal = torch.special.ndtri(noise[..., 1].clamp(1e-7, 1 - 1e-7))
        reward = means[row, place, action] + self.spread * normal
        arrived = (noise[..., :1] >= chances[row, place, action]).sum(-1).clamp(max=self.states - 1)
        return Transition((state[0], arrived), self._seen(arrived, state[0]), reward)

    def hint(self, tasks: Tables) -> Tensor:
        """Return both tables."""
        return torch.cat([table.flatten(1) for table in tasks], 1)

    def _seen(self, place: Tensor, tasks: Tables) -> Tensor:
        return torch.nn.functional.one_hot(place, self.states).to(tasks[1].dtype)
