"""Rollouts: many episodes of many tasks at once, sampled from random numbers of each task's own generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.learners.inner import Params
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.policy import Policy
from quickstudy.tasks.episodes import generator
from quickstudy.tasks.tree import Tree


class Trajectories(NamedTuple):
    """Episodes of several tasks. Every tensor begins with (n_tasks, n_episodes, horizon).

    Attributes:
        observations: Observation before each action, (..., observation_size).
        actions: Actions, (...) or (..., size).
        rewards: Reward of each action; 0 after the end of an episode.
        alive: 1 for steps that were taken, and 0 for those after the end of an episode.
    """

    observations: Tensor
    actions: Tensor
    rewards: Tensor
    alive: Tensor

    @property
    def returns(self) -> Tensor:
        """Sum of the rewards of each episode, (n_tasks, n_episodes)."""
        return self.rewards.sum(-1)

    def checked(self) -> Trajectories:
        """Return the same episodes.

        Raises:
            DataError: An observation or a reward is NaN or infinite. No step of a policy can be taken from it.
        """
        if not bool(self.observations.isfinite().all() and self.rewards.isfinite().all()):
            raise DataError("the environment returned an observation or reward that is NaN or infinite; correct it")
        return self


@dataclass(frozen=True)
class Draws:
    """Source of all random numbers of one step: tasks, episodes, and what else a learner draws.

    Each number is a pure function of (seed, split, step, task) and of its purpose. So a run that was interrupted
    continues with the same numbers.

    Args:
        seed: Seed of the whole sequence.
        split: "train", "test" or another name; each split has other tasks and numbers.
        step: Number of the step.
        n_tasks: Number of tasks.

    >>> a, b = (Draws(0, "train", 0, n_tasks=n).generators("rollout-0")[1] for n in (2, 9))
    >>> a.random() == b.random()
    True
    """

    seed: int
    split: str
    step: int
    n_tasks: int

    def tasks(self, environment: Environment) -> Tree:
        """Return the tasks of the step."""
        return environment.sample_tasks(self.seed, self.split, self.step, self.n_tasks)

    def generators(self, purpose: str) -> list[np.random.Generator]:
        """Return one generator per task for a purpose, such as "rollout-1": the episodes after the first update."""
        return [generator(self.seed, f"{self.split}/{purpose}", self.step, i) for i in range(self.n_tasks)]


def rollout(
    environment: Environment,
    tasks: Tree,
    policy: Policy,
    rngs: Sequence[np.random.Generator],
    n_episodes: int,
    params: Params | None = None,
    *,
    greedy: bool = False,
) -> Trajectories:
    """Play episodes of every task.

    Task i draws all its numbers from ``rngs[i]`` before the first step, so they do not depend on the other tasks.

    Args:
        environment: Distribution of environments.
        tasks: Tasks from ``environment.sample_tasks``.
        policy: Policy that acts.
        rngs: Generator of each task, from ``Draws.generators``.
        n_episodes: Number of episodes per task.
        params: Weights that replace the policy's, shared or one per task.
        greedy: Take the most probable action instead of a random one.

    Raises:
        DataError: The environment gives numbers that are NaN or infinite.

    >>> from quickstudy.rl.environments.bandits import Bandits
    >>> bandits, draws = Bandits(arms=3), Draws(seed=0, split="train", step=0, n_tasks=4)
    >>> tasks = draws.tasks(bandits)
    >>> rollout(bandits, tasks, Policy.of(bandits, ()), draws.generators("rollout-0"), n_episodes=7).returns.shape
    torch.Size([4, 7])
    """
    world, own = environment.noise, policy.noise
    shape = (environment.horizon + 1, n_episodes, world + own)
    noise = torch.from_numpy(np.stack([rng.random(shape, np.float32) for rng in rngs], 1))
    seen, taken, rewards, alive = [], [], [], []
    with torch.no_grad():
        state, observation = environment.reset(tasks, n_episodes, noise[0, ..., :world])
        running = observation.new_ones(observation.shape[:2])
        for numbers in noise[1:]:
            distribution = policy(observation, params)
            action = distribution.mode() if greedy else distribution.sample(numbers[..., world:])
            seen.append(observation)
            taken.append(action)
            alive.append(running)
            state, observation, reward, ended = environment.step(state, action, numbers[..., :world])
            rewards.append(reward * running)
            if ended is not None:
                running = running * ~ended
                if not running.any():
                    break
    return Trajectories(*(torch.stack(part, 2) for part in (seen, taken, rewards, alive))).checked()
