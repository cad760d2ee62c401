"""Experiment: the data, the learner and the outer loop of a run, built from its settings."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from quickstudy.errors import Interrupted, SettingError, one_line
from quickstudy.inputs.base import Inputs
from quickstudy.learners import LEARNERS, Learner
from quickstudy.learners.draws import seeded
from quickstudy.models.build import build
from quickstudy.models.folder import ModelFolder
from quickstudy.models.state import saved
from quickstudy.nets import NETS
from quickstudy.runs.arguments import check_applies, given_arguments
from quickstudy.runs.encoding import as_photos, check_weights, encoder_of
from quickstudy.runs.needs import takes
from quickstudy.runs.outer_rate import continued, optimizer_of, schedule_of
from quickstudy.runs.run import RESULT, Record, Run, recorded
from quickstudy.runs.settings import HYPERPARAMETERS, Settings
from quickstudy.runs.training_tasks import training_tasks
from quickstudy.tasks.episodes import Batches, Episodes
from quickstudy.tasks.source import ClassSource, FunctionSource, Loaded
from quickstudy.tasks.sources import source
from quickstudy.tasks.splits import Split, Splits
from quickstudy.tasks.task import TaskSource
from quickstudy.training import Progress, State, outer_loop
from quickstudy.training.checkpoint import Checkpoints
from quickstudy.training.process import threads
from quickstudy.training.workers import ALONE, Workers, check_shares


class Experiment:
    """A run that is ready to start.

    Args:
        settings: Settings from ``load_settings`` or ``complete``.
        workers: Processes that share the training; the first of them writes the run folder.
        inputs: Inputs that encode the data, such as those of a run that is evaluated; by the settings if None.

    >>> from quickstudy.runs.settings import complete
    >>> run = Experiment(complete({"data": "sinusoid", "algorithm": "maml", "steps": 2}))
    >>> [progress.step for progress in run.train()]
    [1, 2]
    """

    def __init__(self, settings: Settings, workers: Workers = ALONE, inputs: Inputs | None = None) -> None:
        if settings.data_root is not None:  # absolute, because a run is continued and evaluated from other folders too
            settings = settings.model_copy({"data_root": settings.data_root.absolute()})
        self.settings, self.workers = settings, workers
        self.device = find_device(settings.device)
        self.inputs = encoder_of(settings) if inputs is None else inputs
        self.source = source(settings.data, **{**settings.model_dump(), "inputs": self.inputs})

    @cached_property
    def loaded(self) -> Loaded | None:
        """The data, and the inputs that encoded it; None for functions."""
        if not isinstance(self.source, ClassSource):
            return None
        return as_photos(self.source.load(), self.inputs)

    def check(self, folder: Path, *, resume: bool = False) -> None:
        """Raise an error if the run cannot start, before anything is started or written.

        Raises:
            SettingError: The folder holds a run already, or the settings do not fit each other.
            ModelError: The learner cannot be saved, or the encoder has other weights than the run that is continued.
        """
        if not resume and not self.workers.rank and Run(folder).exists():
            raise SettingError(
                f"there is a run in {str(folder)!r} already; continue it by `quickstudy train --resume {folder}`, or "
                f"choose another folder with --out"
            )
        if resume and self.loaded is not None:
            check_weights(self.loaded.inputs, Run(folder))
        check_shares(self.settings.tasks_per_step or 1, self.settings.workers)
        _ = self.tasks
        saved(self.learner)  # raises an error for a learner that could not be saved after the training

    def train(
        self,
        folder: Path | None = None,
        *,
        resume: bool = False,
        stop: Callable[[], int] = lambda: 0,
        spent: float = 0.0,
    ) -> Iterator[Progress]:
        """Run the outer loop.

        Args:
            folder: Folder for settings, metrics, checkpoints and the best weights; nothing is saved if None.
            resume: Continue from the newest valid checkpoint in the folder.
            stop: Function that is called after every step. It returns the number of a signal that ends the run, or 0.
                The run is saved before it ends.
            spent: Seconds of the setting ``minutes`` that were used before.

        Raises:
            Interrupted: ``stop`` returned a signal.
            CheckpointError: There is no valid checkpoint to resume from.
        """
        steps = self._train(folder, resume, stop, spent)
        try:
            while True:
                with threads(self.settings.threads):  # never across a yield: the caller's threads are its own
                    progress = next(steps, None)
                if progress is None:
                    return
                yield progress
        finally:
            steps.close()

    def _train(
        self, folder: Path | None, resume: bool, stop: Callable[[], int], spent: float
    ) -> Generator[Progress, None, None]:
        settings = self.settings
        end = None if settings.minutes is None else time.monotonic() + 60 * settings.minutes - spent
        optimizer = optimizer_of(settings, self.learner)
        schedule = schedule_of(settings.schedule, optimizer, settings.steps, halve_every=settings.halve_every)
        state = State()
        if folder is None:
            yield from self._loop(optimizer, schedule, state, end)
            return
        self.check(folder, resume=resume)
        checkpoints, begun = Checkpoints(folder / "checkpoints", self.learner, optimizer, schedule, state), 0
        if resume and checkpoints.steps():
            begun = checkpoints.restore()["metrics_bytes"]
            before = Run(folder).settings.steps
            schedule = checkpoints.schedule = continued(schedule, settings, before, self.learner, state)
        progress = self._loop(optimizer, schedule, state, end)
        if state.step >= settings.steps or (settings.patience is not None and state.worse >= settings.patience):
            self._finish(Run(folder))
            return
        with self._recorded(folder, state, begun) as record:
            for p in progress:
                record(p)
                yield p
                signal = self.workers.agree(stop())
                every = settings.save_every or settings.validate_every
                if self.workers.rank == 0 and (signal or p.last or p.step % every == 0):
                    checkpoints.save(metrics_bytes=record(None))
                if signal:
                    raise Interrupted(
                        f"stopped at step {p.step} and saved; continue with `quickstudy train --resume {folder}`",
                        128 + signal,
                    )
        if self.workers.rank == 0:
            Run(folder).save_result()

    def _loop(self, optimizer: Optimizer, schedule: LRScheduler, state: State, end: float | None) -> Iterator[Progress]:
        """Return the outer loop by the settings; it ends at a time of the monotonic clock at the latest."""
        settings = self.settings
        return outer_loop(
            self.learner,
            self.tasks,
            optimizer,
            steps=settings.steps,
            tasks_per_step=settings.tasks_per_step or 1,
            schedule=schedule,
            clip=settings.clip,
            precision=settings.precision,
            validation=self.test_tasks("validation") if self._has("validation") else None,
            validate_every=settings.validate_every,
            validation_tasks=settings.validation_tasks,
            patience=settings.patience,
            skip_bad_tasks=settings.skip_bad_tasks,
            engine=settings.engine,
            workers=self.workers,
            state=state,
            until=None if end is None else lambda: time.monotonic() >= end,
        )

    def _finish(self, run: Run) -> None:
        """Load the weights of a run that has ended; write its result if the process was ended before that."""
        self.learner.load_state_dict(run.learner.state_dict())
        if self.workers.rank == 0 and not (run.folder / RESULT).exists():
            run.save_result()

    def test_tasks(self, split: Split = "test", rotate: bool = False, unbalanced: float | None = None) -> TaskSource:
        """Return tasks of a split, with ``n_way`` classes of ``n_shot`` support and ``n_query`` query examples.

        Args:
            split: Name of the split.
            rotate, unbalanced: Arguments of ``Episodes``.

        Raises:
            SettingError: The queries of functions cannot be unbalanced.
        """
        s = self.settings
        if isinstance(self.source, FunctionSource):
            if unbalanced is not None:
                raise SettingError(f"unbalanced queries need classes, but {s.data} has none; leave it out")
            return self.source.tasks(s.n_shot, s.n_query, s.seed, split)
        data = self._data()._asdict()[split].to(self.device)
        sizes = s.n_way, s.n_shot, s.n_query
        return Episodes(data, *sizes, seed=s.seed, split=split, rotate=rotate, unbalanced=unbalanced)

    @cached_property
    def tasks(self) -> TaskSource:
        """Training tasks."""
        return training_tasks(self.settings, self.source, self._data, self.device)

    @cached_property
    def learner(self) -> Learner:
        """The learner that is trained; its initial weights are drawn by the seed."""
        s = self.settings
        chosen = {name: getattr(s, name) for name in HYPERPARAMETERS if getattr(s, name) is not None}
        for name in chosen:
            check_applies(name, s.algorithm)
        chosen |= given_arguments(s)
        functions = isinstance(self.source, FunctionSource)
        if functions:
            chosen["loss"] = "mse"
        if takes(LEARNERS, s.algorithm, "n_way"):
            chosen["n_way"] = 1 if functions else s.train_way
        if isinstance(self.tasks, Batches):
            chosen["n_classes"] = self.tasks.data.n_classes
        chosen |= {"net": self._net()} if takes(LEARNERS, s.algorithm, "net") else self._images()
        with seeded(s.seed):
            learner = build({"name": s.algorithm, **chosen})
        if s.init is not None:
            _start_from(s.init, learner)
        return learner.to(self.device)

    def _net(self) -> dict[str, Any]:
        """Return the name of the net, and those of its arguments that the data and the settings decide."""
        s = self.settings
        assert s.net is not None
        if isinstance(self.source, FunctionSource):
            needed: dict[str, Any] = {"in_features": self.source.in_features}
            optional: dict[str, Any] = {}
        elif self._data().train.x.ndim == 2:
            needed = {"in_features": self._data().train.x.shape[1]}
            optional = {"width": s.width, "hidden": [s.width]}
        else:
            needed = self._images()
            optional = {"width": s.width, "pool": s.pool is not False}
        for name in needed:
            if not takes(NETS, s.net, name):
                raise SettingError(
                    f"net {s.net!r} does not take {s.data}: its __init__ has no argument {name!r}; change net or data"
                )
        return {"name": s.net, **needed} | {k: v for k, v in optional.items() if takes(NETS, s.net, k)}

    def _images(self) -> dict[str, Any]:
        channels, size = self._data().train.x.shape[1:3]
        return {"channels": channels, "size": size}

    def _data(self) -> Splits:
        assert self.loaded is not None
        return self.loaded.splits

    def _has(self, split: Split) -> bool:
        return self.loaded is None or self._data()._asdict()[split].n_classes > 0

    def _recorded(self, folder: Path, state: State, begun: int) -> AbstractContextManager[Record]:
        """Return a context manager of the function that records progress; only the first worker records."""
        if self.workers.rank:
            return nullcontext(lambda p: 0)
        return recorded(folder, self.settings, self.learner, self.loaded and self.loaded.inputs, state, begun)


def _start_from(folder: Path, learner: Learner) -> None:
    """Load the net of a model into a learner.

    Raises:
        SettingError: The model or the learner has no net, or their nets differ.
    """
    theirs, ours = (getattr(one, "net", nn.Module()) for one in (ModelFolder(folder).learner, learner))
    try:
        ours.load_state_dict(theirs.state_dict())
    except RuntimeError:
        raise SettingError(
            f"init = {str(folder)!r} has another net than this training; set net, width and pool as in that model"
        ) from None


def find_device(name: str) -> torch.device:
    """Return the device of a name; "auto" is a GPU if there is one.

    Raises:
        SettingError: The device is not available.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise SettingError(
            f"device = {name!r} is not available on this machine ({one_line(error)}); use cpu, cuda or auto"
        ) from None
