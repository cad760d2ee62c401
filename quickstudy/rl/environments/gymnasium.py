"""Environments of your own, made by a function from a seed."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any, ClassVar

import numpy as np

from quickstudy.errors import SettingError, one_line
from quickstudy.rl.environments.simulators import Simulators, gymnasium


class Gymnasium(Simulators):
    """Distribution of environments given by a function from a task's seed to an environment of gymnasium.

    The seed alone decides the task: two environments of the same seed are the same, and ``reset`` never changes the
    task. All tasks have the same spaces. ``quickstudy.testing.check_environment`` checks this.

    Args:
        env: "module:function"; the module is also looked for in the current folder.
        horizon: Largest number of steps of an episode.

    Raises:
        SettingError: The function cannot be imported, fails, or returns something else.
    """

    about: ClassVar[str] = "environments that your own function makes from a seed"

    def __init__(self, env: str, horizon: int = 200) -> None:
        self.env = env
        self._function = _imported(env)
        super().__init__(horizon)

    def make(self, seed: int) -> Any:
        """Return the environment of a task's seed."""
        try:
            simulator = self._function(seed)
        except Exception as error:  # your own function may raise any error
            raise SettingError(f"{self.env!r} failed for seed {seed}: {one_line(error)}") from error
        if not isinstance(simulator, gymnasium().Env):
            raise SettingError(f"{self.env!r} returned a {type(simulator).__name__}; return a gymnasium.Env")
        return simulator

    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return the seed of a task."""
        return np.asarray(rng.integers(1 << 31))

    def kind(self, task: np.ndarray) -> int:
        """Return the seed."""
        return int(task)


def _imported(env: str) -> Callable[[int], Any]:
    module, _, name = env.partition(":")
    before = list(sys.path)
    sys.path.insert(0, "")
    try:
        function: Any = getattr(import_module(module), name)
    except Exception as error:  # importing may raise any error
        raise SettingError(f"{env!r} cannot be imported ({one_line(error)}); give module:function") from error
    finally:
        sys.path[:] = before
    if not callable(function):
        raise SettingError(f"{env!r} is a {type(function).__name__}; give a function from a seed to a gymnasium.Env")
    checked: Callable[[int], Any] = function
    return checked
