"""Base of all learners for environments."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar

import torch
from torch import nn
from torch.optim import Optimizer

from quickstudy.errors import SettingError
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.tasks.tree import Tree


class Agent(nn.Module, ABC):
    """Learner that learns to learn to act.

    What is meta-learned is an ``nn.Parameter``. Its first argument is an environment, of which it reads the sizes only.
    Every other argument of its ``__init__`` is an attribute, so that a run can save it.

    An outer step is ``improve``. Adapting to new tasks is ``adaptation``. Both play episodes themselves, since the
    episodes depend on the adapted policy. All random numbers come from ``draws``, so both are functions of the weights.

    Args:
        environment: Environment whose observations and actions the agent has.

    Attributes:
        sizes: Width of an observation, and the actions, of that environment.
        trained: Whether there is anything to train.
        outer_lr: Rate of the outer optimiser if the settings give none; None if the agent has no such rate.
    """

    trained: ClassVar[bool] = True
    outer_lr: ClassVar[float | None] = 0.1

    def __init__(self, environment: Environment) -> None:
        super().__init__()
        self.sizes = (environment.observation_size, environment.actions)

    def check_fits(self, environment: Environment) -> None:
        """Check that an environment has the observations and actions of the agent's own.

        Raises:
            SettingError: It has others.
        """
        (seen, acted), (observations, actions) = self.sizes, (environment.observation_size, environment.actions)
        if (seen, acted, type(acted)) != (observations, actions, type(actions)):  # tuples of two types may be equal
            raise SettingError(
                f"the environment has {observations} observations and {actions}, but the agent was made for {seen} and "
                f"{acted}; train on environments like yours by `quickstudy rl train --env`"
            )

    @abstractmethod
    def improve(self, environment: Environment, draws: Draws, optimizer: Optimizer) -> dict[str, float]:
        """Take one outer step on the tasks of ``draws``, in place.

        Args:
            environment: Distribution of environments.
            draws: Source of the step's tasks and random numbers.
            optimizer: Optimiser from ``optimizer``.

        Returns:
            Figures of the step: "return" before adapting, "adapted" after, "steps" of the environment, and any more.
        """

    @abstractmethod
    def adaptation(
        self, environment: Environment, tasks: Tree, draws: Draws, updates: int, n_episodes: int
    ) -> Iterator[Trajectories]:
        """Yield the episodes played after 0, 1, ..., ``updates`` updates of each task's policy.

        Args:
            environment: Distribution of environments.
            tasks: Tasks to adapt to.
            draws: Source of the random numbers, with as many tasks.
            updates: Number of updates.
            n_episodes: Number of episodes per task and update.
        """

    def optimizer(self, lr: float) -> Optimizer:
        """Return the optimiser of the outer loop."""
        return torch.optim.Adam(self.parameters(), lr)
