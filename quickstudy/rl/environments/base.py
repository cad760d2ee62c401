"""Base of all distributions of environments: many episodes of many tasks at once, as functions of tensors.

A task is one environment, described by tensors: a goal, or a table of rewards. All tensors here have two leading axes,
(n_tasks, n_episodes): each task is played in several episodes at once.

Environments draw no random numbers. A task is a pure function of (seed, split, step, i), as in
``quickstudy.tasks.episodes``. What happens in it is a pure function of state, action and uniform numbers, which the
caller draws. Nothing is stored in the environment, so it serves any number of rollouts at once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from torch import Tensor

from quickstudy.tasks.episodes import generator
from quickstudy.tasks.tree import Tree, mapped, tree_map


class Discrete(NamedTuple):
    """Actions 0, 1, ..., n - 1, as int64 (n_tasks, n_episodes)."""

    n: int


class Continuous(NamedTuple):
    """Actions of real numbers, (n_tasks, n_episodes, size), clipped to [-1, 1], which is the whole range of each."""

    size: int


Actions = Discrete | Continuous
State = Any
"""State of an environment; only the environment itself looks into it."""


class Transition(NamedTuple):
    """Result of one step.

    Attributes:
        state: State after the step.
        observation: Observation after the step, (n_tasks, n_episodes, observation_size).
        reward: Reward of the step, (n_tasks, n_episodes).
        ended: Whether the episode ended with this step, bool (n_tasks, n_episodes); None if episodes never end before
            the horizon.
    """

    state: State
    observation: Tensor
    reward: Tensor
    ended: Tensor | None = None


class Environment(ABC):
    """Distribution of environments (tasks) with the same observations, actions and horizon.

    A class sets the attributes, and defines ``task``, ``reset`` and ``step``. Every argument of its ``__init__`` is an
    attribute, so that a run can save it. ``quickstudy.testing.check_environment`` checks the laws.

    Attributes:
        observation_size: Width of an observation.
        actions: ``Discrete`` or ``Continuous``.
        horizon: Largest number of steps of an episode.
        noise: Number of uniform numbers that ``reset`` and each ``step`` receive per episode.
        hint_size: Width of what ``hint`` returns; 0 if there is no hint.
        about: A few words on what is learned.
    """

    observation_size: int
    actions: Actions
    horizon: int
    noise: int = 0
    hint_size: int = 0
    about: ClassVar[str] = ""

    @abstractmethod
    def task(self, rng: np.random.Generator) -> Tree:
        """Return one task, drawn from the distribution: an array, or a tuple or dictionary of arrays."""

    @abstractmethod
    def reset(self, tasks: Tree, n_episodes: int, noise: Tensor) -> tuple[State, Tensor]:
        """Begin episodes.

        Args:
            tasks: Tasks from ``sample_tasks``.
            n_episodes: Number of episodes per task.
            noise: Numbers in [0, 1), (n_tasks, n_episodes, noise).

        Returns:
            The state, which includes the tasks, and the first observation, (n_tasks, n_episodes, observation_size).
        """

    @abstractmethod
    def step(self, state: State, action: Tensor, noise: Tensor) -> Transition:
        """Act once in every episode.

        Args:
            state: State from ``reset`` or from the step before; a torch environment leaves it unchanged.
            action: Actions, as ``Discrete`` or ``Continuous`` describes.
            noise: Numbers in [0, 1), (n_tasks, n_episodes, noise).
        """

    def hint(self, tasks: Tree) -> Tensor:
        """Return what an oracle knows of each task, (n_tasks, hint_size); only called if ``hint_size`` is above 0."""
        raise NotImplementedError(f"{type(self).__name__} has no hint")

    def sample_tasks(self, seed: int, split: str, step: int, n_tasks: int) -> Tree:
        """Return tasks 0, 1, ..., n_tasks - 1 of a step, one after another on the first axis of every tensor.

        Args:
            seed: Seed of the whole sequence.
            split: "train", "test" or another name; each split has other tasks.
            step: Number of the step.
            n_tasks: Number of tasks.
        """
        tasks = [self.task(generator(seed, split, step, i)) for i in range(n_tasks)]
        return tree_map(lambda *parts: torch.from_numpy(np.stack(parts)), *tasks)


def for_episodes(tasks: Tree, n_episodes: int) -> Tree:
    """Return the same tasks with an axis of episodes: (n_tasks, ...) becomes (n_tasks, n_episodes, ...).

    >>> for_episodes(torch.zeros(3, 2), 5).shape
    torch.Size([3, 5, 2])
    """
    return mapped(lambda t: t.unsqueeze(1).expand(len(t), n_episodes, *t.shape[1:]), tasks)
