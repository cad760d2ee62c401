"""The two loops, live: a learner is meta-trained, and the page gets its inner steps and its error on new tasks."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from statistics import fmean
from typing import Annotated, Any, Literal

import torch
from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from quickstudy.learners.gradient import GradientLearner
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.settings import complete
from quickstudy.serving.limits import Refused
from quickstudy.tasks.task import Task
from quickstudy.training.outer import observe

Algorithm = Literal["maml", "reptile", "prototypical"]
_SINUSOID = {"data": "sinusoid", "n_shot": 10, "schedule": "constant"}
_SETTINGS: dict[Algorithm, dict[str, Any]] = {
    "maml": {**_SINUSOID, "inner_lr": 0.02, "outer_lr": 0.01, "tasks_per_step": 10},
    "reptile": {**_SINUSOID, "inner_lr": 0.02, "inner_steps": 16, "outer_lr": 0.2, "tasks_per_step": 2},
    "prototypical": {
        "data": "glyphs",
        "glyph_classes": 100,
        "n_shot": 1,
        "n_query": 5,
        "train_way": 5,
        "train_query": 5,
        "width": 32,
    },
}
_INNER = 10
"""Inner steps that are drawn; as many as the error is measured after."""
_TASKS = 10
"""New tasks that the error is measured on."""
_SECONDS = 45.0
"""Longest run; below the time in which a body must be sent."""
_BETWEEN = 0.25
"""Seconds of training between two events."""
_STEPS = 20_000
_TOGETHER = 4
"""Runs at once."""


class Loop:
    """A learner that is meta-trained a little at each call of ``advance``.

    Args:
        algorithm: Name of the learner.
        seed: Seed of weights and tasks.

    >>> len(Loop("maml", seed=0).advance(0)["curves"])
    11
    """

    def __init__(self, algorithm: Algorithm, seed: int) -> None:
        settings = {"algorithm": algorithm, "seed": seed, "steps": _STEPS, "threads": 1}
        self.experiment = Experiment(complete({**_SETTINGS[algorithm], **settings}))
        self.learner = self.experiment.learner
        self.tasks = self.experiment.test_tasks("test").sample(0, _TASKS)
        self.training = self.experiment.train()
        self.begun = time.monotonic()
        self.step, self.measuring = 0, 0.0

    def advance(self, seconds: float) -> dict[str, Any] | None:
        """Train for some seconds, and return the state as plain data; None at the end.

        Args:
            seconds: Time to train, at least as long as the last measurement took; 0 trains nothing.
        """
        now = time.monotonic()
        if now - self.begun >= _SECONDS:
            return None
        losses = []
        while time.monotonic() - now < max(seconds, self.measuring):
            progress = next(self.training, None)
            if progress is None:
                return None
            self.step = progress.step
            losses.append(progress.loss)
        now = time.monotonic()
        self.learner.eval()
        with torch.no_grad():
            result = self._sinusoids() if isinstance(self.learner, GradientLearner) else self._characters()
        self.measuring = time.monotonic() - now
        return {"step": self.step, "loss": fmean(losses) if losses else None, **result}

    def _sinusoids(self) -> dict[str, Any]:
        """Return the inner steps on one new task, and the squared error on all before and after them."""
        every = [self.tasks.at(i) for i in range(_TASKS)]
        task = max(every, key=lambda each: float(each.query.y.abs().max()))  # a flat wave shows little
        grid = torch.linspace(-5, 5, 61)[:, None]
        return {
            "error_before": fmean(self._error(each, 0) for each in every),
            "error": fmean(self._error(each, _INNER) for each in every),
            "x": _rounded(task.support.x),
            "y": _rounded(task.support.y),
            "grid": _rounded(grid),
            "truth": _rounded(_wave(task, grid)),
            "curves": [_rounded(self._after(n, task, grid)) for n in range(_INNER + 1)],
        }

    def _after(self, n: int, task: Task, x: torch.Tensor) -> torch.Tensor:
        """Return predictions after a number of inner steps on the support of a task."""
        assert isinstance(self.learner, GradientLearner)
        self.learner.test_steps = n  # training has its own number
        return self.learner.adapt(task.support)(x)

    def _error(self, task: Task, n: int) -> float:
        return float(((self._after(n, task, task.query.x) - task.query.y) ** 2).mean())

    def _characters(self) -> dict[str, Any]:
        """Return the share of right answers on new tasks of new characters."""
        observe(self.learner, self.experiment.tasks)
        right = []
        for i in range(_TASKS):
            task = self.tasks.at(i)
            answers = self.learner.adapt(task.support)(task.query.x)
            right.append(float((answers.argmax(-1) == task.query.y.argmax(-1)).float().mean()))
        return {"accuracy": fmean(right), "chance": 1 / self.experiment.settings.n_way}


def _wave(task: Task, grid: torch.Tensor) -> torch.Tensor:
    """Return the sine wave through the support of a task: a combination of sine and cosine, which two points decide."""

    def basis(x: torch.Tensor) -> torch.Tensor:
        x = x.double()  # in single precision, the last digit that is shown may depend on where the numbers lie
        return torch.cat([x.sin(), x.cos()], 1)

    weights: torch.Tensor = torch.linalg.lstsq(basis(task.support.x), task.support.y.double()).solution
    return basis(grid) @ weights


def _rounded(values: torch.Tensor) -> list[float]:
    return [round(value, 3) for value in values.flatten().tolist()]


class Runs:
    """Runs in progress, at most one per tab."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}

    def begin(self, tab: str) -> float:
        """Return the start of a new run, which ends that of the same tab.

        Raises:
            Refused: There are too many runs.
        """
        now = time.monotonic()
        self._begun = {name: at for name, at in self._begun.items() if now - at < 2 * _SECONDS}  # none lasts longer
        if tab not in self._begun and len(self._begun) >= _TOGETHER:
            raise Refused(429, f"{_TOGETHER} runs are in progress; stop one, or try again in a minute")
        self._begun[tab] = now
        return now

    def is_current(self, tab: str, begun: float) -> bool:
        """Return whether a run has not been replaced by another of its tab."""
        return self._begun.get(tab) == begun

    def end(self, tab: str, begun: float) -> None:
        """Forget a run."""
        if self.is_current(tab, begun):
            del self._begun[tab]


def routes() -> APIRouter:
    """Return the route of the loops. A thread trains, and continues only while someone listens."""
    api = APIRouter(prefix="/v1/loops")
    pool, runs = ThreadPoolExecutor(1, "loops"), Runs()

    @api.get("/{algorithm}", response_class=StreamingResponse)
    async def watch(
        algorithm: Algorithm,
        tab: Annotated[
            str, Query(pattern=r"^[a-z0-9]{1,32}$", description="Name of the tab; a new run ends its old one.")
        ],
        seed: Annotated[int, Query(ge=0, lt=2**31)] = 0,
    ) -> StreamingResponse:
        """Meta-train a learner for up to 45 seconds, as server-sent events."""
        begun = runs.begin(tab)

        async def events() -> AsyncIterator[bytes]:
            place = asyncio.get_running_loop()
            try:
                loop = await place.run_in_executor(pool, Loop, algorithm, seed)
                seconds = 0.0  # the first event shows the learner before training
                while runs.is_current(tab, begun):
                    event = await place.run_in_executor(pool, loop.advance, seconds)
                    if event is None:
                        break
                    yield f"data: {json.dumps(event)}\n\n".encode()
                    seconds = _BETWEEN
            finally:
                runs.end(tab, begun)

        return StreamingResponse(events(), media_type="text/event-stream")

    return api
