"""A published figure again: its training, whole or shortened to a budget, and both figures side by side."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from quickstudy.errors import SettingError
from quickstudy.learners.gradient import GradientLearner
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.papers import find
from quickstudy.runs.provenance import provenance
from quickstudy.runs.recipes import Cell, Protocol
from quickstudy.runs.run import open_run, read_settings
from quickstudy.runs.settings import Settings, complete
from quickstudy.training import Progress
from quickstudy.training.evaluation import evaluate

_TRAINING = 0.85
"""Share of a budget that goes into steps; the rest is validation."""
_MEASURED = 6.0
"""Seconds for which steps are timed before a budget is cut into them."""
_MACHINE = {"data_root", "device", "workers", "threads", "worker_timeout", "tensorboard", "save_every"}
_ON_THE_WAY = {"n_way", "n_shot", "n_query", "test_steps", "validate_every", "validation_tasks", "seed"}
"""Settings that do not change what is learned, or not by more than which validation is the best."""


class Reproduction:
    """One name of ``quickstudy.runs.papers``.

    Args:
        name: Such as "prototypical-omniglot-5way-1shot".
        runs: Folder that keeps the trainings; names that need the same one share it.
        given: Settings of the machine: where the data is, threads, and so on.
        budget: Minutes of training; None for all that the paper did.
    """

    def __init__(self, name: str, runs: Path, given: dict[str, Any], budget: float | None = None) -> None:
        self.name, self.given, self.budget = name, given, budget
        self.key, self.protocol, self.cell = find(name)
        self.folder = runs / _folder(self.key, self.protocol, self.cell, shared=budget is not None)
        self.wanted = complete({**self.protocol.training(self.cell), **given})
        self.stages = [(self.folder, self.wanted)]
        if self.protocol.first is not None:
            first = runs / f"{self.key}-first"
            self.wanted = self.wanted.model_copy(update={"init": first})
            self.stages = [(first, complete({**self.protocol.first, **given})), (self.folder, self.wanted)]

    def trainings(self, stop: Callable[[], int] = lambda: 0) -> Iterator[tuple[Settings, Iterator[Progress]]]:
        """Settings and progress of one training after the other, from where they were left; no step where one is done.

        Exhaust a progress before the next: a training may start from the net of the one before.
        """
        for folder, wanted in self.stages:
            if not (folder / "run.json").exists():
                minutes = self.budget and self.budget / len(self.stages)
                settings = wanted if minutes is None else _shortened(wanted, minutes)
                yield settings, Experiment(settings).train(folder, stop=stop)
                continue
            settings = complete(read_settings(folder).model_dump() | self.given)
            done = _last_step(folder) >= settings.steps
            yield settings, iter(()) if done else Experiment(settings).train(folder, resume=True, stop=stop)

    def result(self, n_tasks: int = 600) -> dict[str, Any]:
        """Both figures, ours inductive and transductive, with what was shortened."""
        trained, learner = open_run(self.folder)
        cell, rotated = self.cell, self.protocol.rotated
        change = {"n_way": cell.n_way, "n_shot": cell.n_shot, "n_query": self.wanted.n_query, **self.given}
        experiment = Experiment(complete(trained.model_dump() | change))
        tasks = experiment.test_tasks("test", rotated)
        if isinstance(learner, GradientLearner):
            learner.test_steps = self.wanted.test_steps
        ours = {
            kind: evaluate(learner, tasks, n_tasks=n_tasks, transductive=kind == "transductive", bar=True)
            for kind in ("inductive", "transductive")
        }
        return {
            "name": self.name,
            "title": self.protocol.title,
            "n_way": cell.n_way,
            "n_shot": cell.n_shot,
            "split": f"test classes of the {trained.split} split" if trained.data == "omniglot" else "test",
            "rotated": rotated,
            "paper": {
                "mean": cell.mean / 100,
                "ci95": None if cell.ci95 is None else cell.ci95 / 100,
                "transductive": self.protocol.transductive,
                "source": self.protocol.source,
            },
            "ours": {kind: result.summary() for kind, result in ours.items()},
            "shortened": [
                phrase for folder, wanted in self.stages for phrase in shortened(wanted, read_settings(folder))
            ],
            "training": _run(self.folder),
            **({"first_training": _run(self.stages[0][0])} if self.protocol.first else {}),
            **provenance(),
        }


def shortened(wanted: Settings, done: Settings) -> list[str]:
    """What was trained otherwise than wanted, a phrase each.

    >>> shortened(complete({"steps": 100}), complete({"steps": 10}))
    ['steps 10 in place of 100']
    """
    a, b = wanted.model_dump(mode="json"), done.model_dump(mode="json")
    return [
        f"{name} {b[name]} in place of {a[name]}" for name in a.keys() - _MACHINE - _ON_THE_WAY if a[name] != b[name]
    ]


def _folder(key: str, protocol: Protocol, cell: Cell, shared: bool) -> str:
    """Cells that are trained alike share a folder: of a metric learner all, where one training serves for all."""
    settings = complete(protocol.training(cell))
    way = f"{settings.train_way}way"
    return f"{key}-{way}" if shared or not protocol.shots_match else f"{key}-{way}-{cell.n_shot}shot"


def _shortened(wanted: Settings, minutes: float) -> Settings:
    """As many steps as fit, the rate falling to zero by a cosine unless it falls already."""
    steps = int(_TRAINING * minutes * 60 / _step_seconds(wanted))
    if steps < 1:
        raise SettingError(f"a budget of {minutes} minutes is less than a step takes; give more")
    if steps >= wanted.steps:
        return wanted
    schedule = wanted.schedule if wanted.schedule == "linear" else "cosine"
    every = max(1, min(wanted.validate_every, steps // 10))
    return wanted.model_copy(update={"steps": steps, "schedule": schedule, "validate_every": every})


def _step_seconds(settings: Settings, steps: int | None = None) -> float:
    """Mean over a short training of so many steps, or of some seconds: learners may anneal, so it is a whole one.

    Without the first two steps, which gather memory, and the last, which ends with a validation.
    """
    steps = steps or max(6, int(_MEASURED / _step_seconds(settings, 6)))
    trial = Experiment(settings.model_copy(update={"steps": steps, "validate_every": 10**9, "patience": None}))
    seconds = [p.seconds for p in trial.train()]
    return (seconds[-2] - seconds[1]) / (steps - 3)


def _last_step(folder: Path) -> int:
    lines = (folder / "metrics.jsonl").read_bytes().splitlines() if (folder / "metrics.jsonl").exists() else []
    return int(json.loads(lines[-1])["step"]) if lines else 0


def _run(folder: Path) -> dict[str, Any]:
    """How a training was done, and how long it took."""
    last = json.loads((folder / "metrics.jsonl").read_bytes().splitlines()[-1])
    return dict(json.loads((folder / "run.json").read_bytes()), seconds=float(last["seconds"]))
