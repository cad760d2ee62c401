"""Policies with a memory, and trials: several episodes of one task in which the memory is carried on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from quickstudy.rl.distributions import Categorical, Distribution, Gaussian
from quickstudy.rl.environments.base import Actions, Discrete, Environment
from quickstudy.rl.policy import LEAST_LOG_STD
from quickstudy.rl.rollout import Trajectories
from quickstudy.tasks.tree import Tree


class Memory(NamedTuple):
    """Knowledge of a recurrent policy about each task.

    Attributes:
        hidden: State of the GRU, (1, n_tasks, hidden).
        past: Last action, last reward, and 1 if an episode has just ended, (n_tasks, 1, size + 2).
    """

    hidden: Tensor
    past: Tensor


class Recurrent(nn.Module):
    """GRU from observation, last action, last reward and last end to a distribution of actions and a value.

    Args:
        inputs: Width of an observation.
        actions: Actions that it chooses.
        hidden: Width of the GRU.
        std: Initial standard deviation of continuous actions.

    Attributes:
        noise: Number of uniform numbers that one action needs.

    Source: Duan et al. 2016, section 2.3, arXiv:1611.02779.

    >>> net = Recurrent(2, Discrete(3), hidden=8)
    >>> distribution, value, hidden = net(torch.zeros(5, 7, 7))  # 5 tasks, 7 steps; 2 + 3 + 1 + 1 inputs
    >>> distribution.logits.shape, value.shape, hidden.shape
    (torch.Size([5, 7, 3]), torch.Size([5, 7]), torch.Size([1, 5, 8]))
    """

    def __init__(self, inputs: int, actions: Actions, hidden: int = 64, std: float = 1.0) -> None:
        super().__init__()
        self.inputs, self.actions, self.hidden = inputs, actions, hidden
        self.discrete = isinstance(actions, Discrete)
        self.size = actions.n if isinstance(actions, Discrete) else actions.size
        self.noise = 1 if self.discrete else self.size
        self.gru = nn.GRU(inputs + self.size + 2, hidden, batch_first=True)
        self.action, self.value = nn.Linear(hidden, self.size), nn.Linear(hidden, 1)
        for head in (self.action, self.value):  # the first policy is close to the uniform one
            nn.init.normal_(head.weight, std=0.01)
            nn.init.zeros_(head.bias)
        if not self.discrete:
            self.log_std = nn.Parameter(torch.full((self.size,), math.log(std)))

    def forward(self, x: Tensor, hidden: Tensor | None = None) -> tuple[Distribution, Tensor, Tensor]:
        """Return the distributions of actions, the values (n_tasks, steps), and the state after the last step.

        Args:
            x: Observations beside the past of each step, (n_tasks, steps, inputs + size + 2).
            hidden: State of the GRU before the first step; zeros if None.
        """
        features, hidden = self.gru(x, hidden)
        output, value = self.action(features), self.value(features).squeeze(-1)
        if self.discrete:
            return Categorical(output), value, hidden
        return Gaussian(output, self.log_std.clamp(min=LEAST_LOG_STD)), value, hidden

    def memory(self, n_tasks: int) -> Memory:
        """Return the memory of tasks that are new."""
        like = self.action.weight
        return Memory(like.new_zeros(1, n_tasks, self.hidden), like.new_zeros(n_tasks, 1, self.size + 2))

    def past(self, action: Tensor, reward: Tensor) -> Tensor:
        """Return the past after a step, (n_tasks, 1, size + 2)."""
        taken = nn.functional.one_hot(action, self.size).to(reward.dtype) if self.discrete else action
        return torch.cat([taken, torch.stack([reward, torch.zeros_like(reward)], -1)], -1)


def play_trial(
    environment: Environment,
    tasks: Tree,
    net: Recurrent,
    rngs: Sequence[np.random.Generator],
    n_episodes: int,
    memory: Memory | None = None,
) -> tuple[Trajectories, Memory]:
    """Play episodes of every task one after another, with one memory per task.

    The observations of the result are the net's whole inputs: observation, last action, last reward and last end.

    Args:
        environment: Distribution of environments.
        tasks: Tasks from ``environment.sample_tasks``.
        net: Policy that acts.
        rngs: Generator of each task, from ``Draws.generators``.
        n_episodes: Number of episodes per task.
        memory: Memory with which the trial continues; None for a new trial.

    Returns:
        The episodes, and the memory after them.

    Raises:
        DataError: The environment gives numbers that are NaN or infinite.

    >>> from quickstudy.rl.environments.bandits import Bandits
    >>> from quickstudy.rl.rollout import Draws
    >>> bandits, draws = Bandits(arms=3), Draws(seed=0, split="train", step=0, n_tasks=4)
    >>> net = Recurrent(1, bandits.actions)
    >>> play_trial(bandits, draws.tasks(bandits), net, draws.generators("rollout-0"), n_episodes=7)[0].returns.shape
    torch.Size([4, 7])
    """
    world, own = environment.noise, net.noise
    shape = (n_episodes, environment.horizon + 1, 1, world + own)
    noise = torch.from_numpy(np.stack([rng.random(shape, np.float32) for rng in rngs], 2))
    hidden, past = net.memory(len(rngs)) if memory is None else memory
    episodes = []
    with torch.no_grad():
        for numbers in noise:
            steps = []
            state, observation = environment.reset(tasks, 1, numbers[0, ..., :world])
            running = observation.new_ones(len(rngs), 1)
            for each in numbers[1:]:
                seen = torch.cat([observation, past], -1)
                distribution, _, after = net(seen, hidden)
                action = distribution.sample(each[..., world:])
                state, observation, reward, ended = environment.step(state, action, each[..., :world])
                steps.append((seen, action, reward * running, running))
                alive = running.bool()
                hidden = torch.where(alive, after, hidden)
                past = torch.where(alive.unsqueeze(-1), net.past(action, reward), past)
                if ended is not None:
                    running = running * ~ended
            past = torch.cat([past[..., :-1], torch.ones_like(past[..., -1:])], -1)
            episodes.append([torch.cat(part, 1) for part in zip(*steps, strict=True)])
    played = Trajectories(*(torch.stack(part, 1) for part in zip(*episodes, strict=True)))
    return played.checked(), Memory(hidden, past)
