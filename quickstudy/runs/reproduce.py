"""Reproduction of published figures: full or shortened training, and a comparison of both figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from quickstudy.learners.gradient import GradientLearner
from quickstudy.runs.budget import shorten
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.papers import find, protocols
from quickstudy.runs.provenance import provenance
from quickstudy.runs.recipes import Cell, Protocol
from quickstudy.runs.run import Run
from quickstudy.runs.settings import Settings, complete
from quickstudy.runs.signals import between_steps
from quickstudy.runs.train import watch
from quickstudy.training import Progress, process
from quickstudy.training.evaluation import evaluate

_MACHINE = {"data_root", "device", "workers", "threads", "worker_timeout", "tensorboard", "save_every", "minutes"}
_ON_THE_WAY = {"n_way", "n_shot", "n_query", "test_steps", "validate_every", "validation_tasks", "seed"}
"""Settings that do not change the training, or change only which validation is the best."""


class Figure(NamedTuple):
    """A published figure that can be reproduced.

    Attributes:
        name: Name for ``reproduce``.
        title: Name of the method.
        accuracy: Mean accuracy, in [0, 1].
        ci95: Half width of its 95% interval; None where the paper gives none.
        transductive: Whether an answer may depend on the other queries.
        source: Paper with the figure.
    """

    name: str
    title: str
    accuracy: float
    ci95: float | None
    transductive: bool
    source: str


def published() -> list[Figure]:
    """List the published figures that can be reproduced.

    >>> published()[0].name, published()[0].accuracy
    ('maml-omniglot-5way-1shot', 0.987)
    """
    return [
        Figure(
            f"{key}-{cell.n_way}way-{cell.n_shot}shot",
            protocol.title,
            cell.mean / 100,
            None if cell.ci95 is None else cell.ci95 / 100,
            protocol.transductive,
            protocol.source,
        )
        for key, protocol in protocols().items()
        for cell in protocol.cells
    ]


def reproduce(
    name: str,
    runs: Path | str = "runs/reproduce",
    *,
    budget: float | None = None,
    n_tasks: int = 600,
    data_root: Path | str | None = None,
    threads: int | None = None,
) -> dict[str, Any]:
    """Train as a paper did, or continue that training, and return our figures beside the paper's.

    Args:
        name: Name of a published figure, such as "prototypical-omniglot-5way-1shot".
        runs: Folder of the trainings; names that need the same training share it.
        budget: Minutes of training; None trains as long as the paper did.
        n_tasks: Number of test tasks.
        data_root: Folder of the data; the cache folder if None.
        threads: CPU threads; torch's own choice if None.

    Returns:
        Both figures, what was shortened, and how ours was made, as plain data for JSON.

    Raises:
        SettingError: The name is unknown, or the budget is too small for one step.
        DataError: The data is missing.
        Interrupted: A signal ended the training, which was saved.
    """
    choices = {"data_root": data_root, "threads": threads}
    given = {name: value for name, value in choices.items() if value is not None}
    reproduction = Reproduction(name, Path(runs), given, budget)
    with between_steps() as stop:
        for settings, progress in reproduction.trainings(stop):
            watch(progress, settings)
    return reproduction.result(n_tasks)


class Reproduction:
    """Reproduction of one published figure.

    Args:
        name: Name of the figure, such as "prototypical-omniglot-5way-1shot".
        runs: Folder of the trainings; names that need the same training share it.
        given: Settings of the machine, such as the folder of the data and the threads.
        budget: Minutes of training; None for the paper's full training.
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
        """Yield the settings and the progress of each training, continued where it stopped; no steps if it is complete.

        Exhaust each progress before the next one, because a training may start from the net of the previous one.
        """
        for folder, wanted in self.stages:
            run = Run(folder)
            if not run.exists():
                minutes = self.budget and self.budget / len(self.stages)
                settings = wanted if minutes is None else _shortened(wanted, minutes)
                yield settings, Experiment(settings).train(folder, stop=stop)
                continue
            settings = complete(run.settings.model_dump() | self.given)
            done = run.last_step >= settings.steps
            yield settings, iter(()) if done else Experiment(settings).train(folder, resume=True, stop=stop)

    def result(self, n_tasks: int = 600) -> dict[str, Any]:
        """Return both figures, ours both inductive and transductive, and what was shortened."""
        run = Run(self.folder)
        trained, learner = run.settings, run.learner
        cell, rotated = self.cell, self.protocol.rotated
        change = {"n_way": cell.n_way, "n_shot": cell.n_shot, "n_query": self.wanted.n_query, **self.given}
        experiment = Experiment(complete(trained.model_dump() | change))
        tasks = experiment.test_tasks("test", rotated)
        if isinstance(learner, GradientLearner):
            learner.test_steps = self.wanted.test_steps
        with process.threads(experiment.settings.threads):
            ours = {
                kind: evaluate(learner, tasks, n_tasks=n_tasks, transductive=kind == "transductive", bar=True)
                for kind in ("inductive", "transductive")
            }
            made_with = provenance()
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
                phrase for folder, wanted in self.stages for phrase in shortened(wanted, Run(folder).settings)
            ],
            "training": run.summary(),
            **({"first_training": Run(self.stages[0][0]).summary()} if self.protocol.first else {}),
            **made_with,
        }


def shortened(wanted: Settings, done: Settings) -> list[str]:
    """List the differences of a training from the wanted settings, one phrase each.

    >>> shortened(complete({"steps": 100}), complete({"steps": 10}))
    ['steps 10 in place of 100']
    """
    a, b = wanted.model_dump(mode="json"), done.model_dump(mode="json")
    names = [name for name in a if name not in _MACHINE | _ON_THE_WAY]
    return [f"{name} {b[name]} in place of {a[name]}" for name in names if a[name] != b[name]]


def _folder(key: str, protocol: Protocol, cell: Cell, shared: bool) -> str:
    """Return the name of the folder for a cell; cells with the same training share a folder."""
    settings = complete(protocol.training(cell))
    way = f"{settings.train_way}way"
    return f"{key}-{way}" if shared or not protocol.shots_match else f"{key}-{way}-{cell.n_shot}shot"


def _shortened(wanted: Settings, minutes: float) -> Settings:
    """Return settings with as many steps as the budget allows and a rate that falls to zero (cosine or linear)."""
    settings = shorten(wanted, minutes)
    if settings.steps == wanted.steps:
        return wanted
    return settings.model_copy(update={"schedule": wanted.schedule if wanted.schedule == "linear" else "cosine"})
