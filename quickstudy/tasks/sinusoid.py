"""Regression on sine waves of random amplitude and phase (Finn et al. 2017)."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
import torch

from quickstudy.errors import SettingError
from quickstudy.tasks.episodes import generator
from quickstudy.tasks.source import FunctionSource
from quickstudy.tasks.splits import Split
from quickstudy.tasks.task import Examples, Task


class Sinusoid:
    """Regression tasks y = amplitude * sin(x - phase), with uniform amplitude, phase and x.

    Args:
        n_shot: Number of support points per task.
        n_query: Number of query points per task.
        amplitude: Lowest and highest amplitude.
        phase: Lowest and highest phase, in radians.
        x_range: Lowest and highest x, in radians.
        seed: Seed of the whole sequence of tasks.
        split: Name of the split; with the same seed, another split has other tasks.

    Raises:
        SettingError: There is no shot, the number of queries is below 0, or a range is not finite or not ascending.

    Source: Finn et al. 2017, section 5.1, arXiv:1703.03400.

    >>> tasks = Sinusoid(n_shot=5, n_query=20).sample(step=0, n_tasks=25)
    >>> tasks.support.x.shape, tasks.query.y.shape
    (torch.Size([25, 5, 1]), torch.Size([25, 20, 1]))
    """

    def __init__(
        self,
        n_shot: int = 10,
        n_query: int = 10,
        *,
        amplitude: tuple[float, float] = (0.1, 5.0),
        phase: tuple[float, float] = (0.0, math.pi),
        x_range: tuple[float, float] = (-5.0, 5.0),
        seed: int = 0,
        split: str = "train",
    ) -> None:
        if n_shot < 1 or n_query < 0:
            raise SettingError(f"n_shot={n_shot}, n_query={n_query}: give at least 1 shot and at least 0 queries")
        for name, (low, high) in {"amplitude": amplitude, "phase": phase, "x_range": x_range}.items():
            if not (math.isfinite(low) and math.isfinite(high) and low <= high):
                raise SettingError(f"{name}=({low}, {high}): give two finite numbers, the lower first")
        self.n_shot, self.n_query, self.seed, self.split = n_shot, n_query, seed, split
        self.amplitude, self.phase, self.x_range = amplitude, phase, x_range

    def sample(self, step: int, n_tasks: int) -> Task:
        """Return tasks 0 .. n_tasks - 1 of a step, as one batch."""
        n = self.n_shot + self.n_query
        # One generator per step: row i does not depend on the number of rows. With one per task, seeding would take
        # longer than learning the task.
        u = generator(self.seed, self.split, step, 0).random((n_tasks, 2 + n))
        amplitude = _between(self.amplitude, u[:, :1])
        phase = _between(self.phase, u[:, 1:2])
        x = _between(self.x_range, u[:, 2:])
        points = np.stack([x, amplitude * np.sin(x - phase)])[..., None]
        tx, ty = torch.from_numpy(points).to(torch.get_default_dtype())
        k = self.n_shot
        return Task(Examples(tx[:, :k], ty[:, :k]), Examples(tx[:, k:], ty[:, k:]))


def _between(ends: tuple[float, float], u: np.ndarray) -> np.ndarray:
    return ends[0] + (ends[1] - ends[0]) * u


class Sinusoids(FunctionSource):
    """Sine waves, as ``Sinusoid`` draws them."""

    about: ClassVar[str] = "regression on sine waves"
    in_features: ClassVar[int] = 1

    def tasks(self, n_shot: int, n_query: int, seed: int, split: Split) -> Sinusoid:
        """Return the tasks."""
        return Sinusoid(n_shot, n_query, seed=seed, split=split)
