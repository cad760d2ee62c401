"""Environments that are simulated one by one in Python: those of gymnasium."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, SettingError, one_line
from quickstudy.rl.environments.base import Continuous, Discrete, Environment, Transition
from quickstudy.tasks.tree import Tree


class Simulators(Environment):
    """Environment whose episodes are simulators of gymnasium, stepped one after another.

    A simulator is not a function of tensors: a state can be stepped once only. ``reset`` seeds each simulator from the
    noise, so that episodes are seeded all the same. Simulators of the same tasks are used again, since making one may
    be slow.

    Boxes of observations are flattened, discrete observations are one-hot. The bounds of a box of actions become -1
    and 1; whole numbers are rounded to.

    Args:
        horizon: Largest number of steps of an episode.

    Raises:
        DataError: Observations are not a box or discrete, or actions are neither discrete nor a bounded box.
    """

    noise = 1

    def __init__(self, horizon: int) -> None:
        self.horizon = horizon
        simulator = self.make(0)
        self.observation_size = _size(simulator.observation_space)
        self.actions = _actions(simulator.action_space)
        self._spaces = simulator.observation_space, simulator.action_space
        self._kept: dict[int, list[Any]] = {self.kind(np.zeros(())): [simulator]}

    @abstractmethod
    def make(self, seed: int) -> Any:
        """Return a new simulator for tasks of a kind."""

    @abstractmethod
    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return a task, an array of numbers."""

    def kind(self, task: np.ndarray) -> int:
        """Return the seed by which the simulators of a task are made; 0 if one simulator serves any task."""
        return 0

    def reward(self, task: np.ndarray, reward: float, info: dict[str, Any]) -> float:
        """Return the reward of a task for a simulator's step."""
        return reward

    def reset(self, tasks: Tree, n_episodes: int, noise: Tensor) -> tuple[Any, Tensor]:
        """Begin episodes, each in its own simulator."""
        each = [task.numpy() for task in tasks for _ in range(n_episodes)]
        self._kept = {kind: self._kept.get(kind, []) for kind in map(self.kind, each)}
        simulators, used, first = [], dict.fromkeys(self._kept, 0), []
        for task, number in zip(each, noise.flatten().tolist(), strict=True):
            kind = self.kind(task)
            pool, i = self._kept[kind], used[kind]
            if i == len(pool):
                pool.append(self._checked(self.make(kind)))
            used[kind] = i + 1
            simulators.append(pool[i])
            with self._named("reset"):
                first.append(self._seen(pool[i].reset(seed=int(number * 2**31))[0]))
        running = [True] * len(each)
        shape = (len(tasks), n_episodes)
        return (simulators, each, running, shape), torch.from_numpy(np.stack(first)).view(*shape, -1)

    def step(self, state: Any, action: Tensor, noise: Tensor) -> Transition:
        """Step every simulator whose episode has not ended."""
        simulators, tasks, running, shape = state
        moves = self._moves(action)
        seen = np.zeros((len(simulators), self.observation_size), np.float32)
        rewards = np.zeros(len(simulators), np.float32)
        ended = np.zeros(len(simulators), bool)
        for i, (simulator, move) in enumerate(zip(simulators, moves, strict=True)):
            if running[i]:
                with self._named("step"):
                    observation, reward, terminated, truncated, info = simulator.step(move)
                    seen[i], rewards[i] = self._seen(observation), self.reward(tasks[i], float(reward), info)
                    ended[i] = terminated or truncated
                running[i] = not ended[i]
        parts = (torch.from_numpy(part) for part in (seen, rewards, ended))
        observation, reward, end = (part.view(*shape, *part.shape[1:]) for part in parts)
        return Transition(state, observation, reward, end)

    @contextmanager
    def _named(self, method: str) -> Iterator[None]:
        try:
            yield
        except Exception as error:  # a simulator may raise any error
            raise DataError(f"{method} of an environment failed: {one_line(repr(error))}; correct it") from error

    def _checked(self, simulator: Any) -> Any:
        if (simulator.observation_space, simulator.action_space) != self._spaces:
            raise DataError(
                f"{type(self).__name__}: tasks have different spaces of observations or actions; give all the same"
            )
        return simulator

    def _seen(self, observation: Any) -> np.ndarray:
        space = self._spaces[0]
        if isinstance(space, gymnasium().spaces.Discrete):
            place = int(observation - space.start)
            if not 0 <= place < space.n:
                raise ValueError(f"observation {observation} is not in {space}")
            return np.asarray(np.arange(self.observation_size) == place, np.float32)
        seen = np.asarray(observation, np.float32).ravel()
        if len(seen) != self.observation_size:
            raise ValueError(f"an observation has {len(seen)} numbers, its space {self.observation_size}")
        return seen

    def _moves(self, action: Tensor) -> Any:
        space = self._spaces[1]
        if isinstance(self.actions, Discrete):
            return (action.flatten() + int(space.start)).tolist()
        share = (action.clamp(-1, 1).flatten(0, 1).numpy() + 1) / 2
        low, high = (bound.ravel().astype(float) for bound in (space.low, space.high))
        moves = low + share * (high - low)
        if np.issubdtype(space.dtype, np.integer):
            moves = moves.round()
        return moves.astype(space.dtype).clip(space.low.ravel(), space.high.ravel()).reshape(-1, *space.shape)


def gymnasium() -> Any:
    """Return the package gymnasium.

    Raises:
        SettingError: It is not installed.
    """
    try:
        import gymnasium
    except ImportError:
        raise SettingError("gymnasium is not installed; pip install 'quickstudy[rl]'") from None
    return gymnasium


def _size(space: Any) -> int:
    spaces = gymnasium().spaces
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.Box):
        return int(np.prod(space.shape))
    raise DataError(f"observations are {type(space).__name__}; give a Box or Discrete, by a wrapper of gymnasium")


def _actions(space: Any) -> Discrete | Continuous:
    spaces = gymnasium().spaces
    if isinstance(space, spaces.Discrete):
        return Discrete(int(space.n))
    if isinstance(space, spaces.Box) and bool(np.isfinite([space.low, space.high]).all()):
        return Continuous(int(np.prod(space.shape)))
    raise DataError(f"actions are {space}; give a Box with finite bounds, or Discrete")
