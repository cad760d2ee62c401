"""Policies to compare with: one for all tasks, fine-tuned; a random one; and an oracle that receives the task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.optim import Optimizer

from quickstudy.errors import SettingError
from quickstudy.rl.environments.base import Environment, State, Transition
from quickstudy.rl.learners.maml import MAML
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.tasks.tree import Tree


class Finetuned(MAML):
    """One policy, trained on all tasks without adapting, and then fine-tuned on each new task.

    Training is TRPO over many tasks. Fine-tuning is the policy gradient that MAML uses.

    Args:
        environment: Environment whose observations and actions the policy has.
        options: Arguments of ``MAML`` except ``inner_steps``.
    """

    def __init__(self, environment: Environment, **options: Any) -> None:
        super().__init__(environment, inner_steps=0, **options)


class Random(Finetuned):
    """Policy with random weights, fine-tuned on each new task; nothing is trained before.

    Args:
        environment: Environment whose observations and actions the policy has.
        options: Arguments of ``Finetuned``.
    """

    trained: ClassVar[bool] = False

    def improve(self, environment: Environment, draws: Draws, optimizer: Optimizer) -> dict[str, float]:
        """Play, and change nothing."""
        episodes = self.play(environment, draws.tasks(environment), draws, 0, None, self.n_episodes)
        value = episodes.returns.mean().item()
        return {"return": value, "adapted": value, "steps": float(episodes.alive.sum())}


class Oracle(Finetuned):
    """One policy for all tasks that sees the task beside the observation, and so has nothing to adapt.

    Args:
        environment: Environment whose observations, actions and hint the policy has.
        options: Arguments of ``Finetuned``.
    """

    def __init__(self, environment: Environment, **options: Any) -> None:
        super().__init__(Hinted(environment), **options)
        self.sizes = (environment.observation_size, environment.actions)

    def improve(self, environment: Environment, draws: Draws, optimizer: Optimizer) -> dict[str, float]:
        """Take one outer step."""
        return super().improve(Hinted(environment), draws, optimizer)

    def adaptation(
        self, environment: Environment, tasks: Tree, draws: Draws, updates: int, n_episodes: int
    ) -> Iterator[Trajectories]:
        """Yield episodes of the same policy, ``updates`` + 1 times."""
        for t in range(updates + 1):
            yield self.play(Hinted(environment), tasks, draws, t, None, n_episodes)


class Hinted(Environment):
    """Environment whose observations end with the hint of the task.

    Args:
        environment: Environment with a hint.

    Raises:
        SettingError: The environment has no hint.
    """

    def __init__(self, environment: Environment) -> None:
        if not environment.hint_size:
            raise SettingError(
                f"{type(environment).__name__} has no hint of the task, which an oracle needs; choose another agent, "
                f"or give the environment hint_size and hint"
            )
        self.environment = environment
        self.observation_size = environment.observation_size + environment.hint_size
        self.actions, self.horizon, self.noise = environment.actions, environment.horizon, environment.noise

    def task(self, rng: Any) -> Tree:
        """Return a task of the environment."""
        return self.environment.task(rng)

    def reset(self, tasks: Tree, n_episodes: int, noise: Tensor) -> tuple[State, Tensor]:
        """Begin episodes."""
        state, observation = self.environment.reset(tasks, n_episodes, noise)
        hint = self.environment.hint(tasks).to(observation.dtype).unsqueeze(1).expand(-1, n_episodes, -1)
        return (state, hint), torch.cat([observation, hint], -1)

    def step(self, state: State, action: Tensor, noise: Tensor) -> Transition:
        """Act once in every episode."""
        inner, hint = state
        result = self.environment.step(inner, action, noise)
        return result._replace(state=(result.state, hint), observation=torch.cat([result.observation, hint], -1))
