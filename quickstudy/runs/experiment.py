"""Experiment: the data, the learner and the outer loop of a run, built from its settings."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.optim.lr_scheduler import LRScheduler

from quickstudy.errors import Interrupted, NotEnoughClasses, SettingError, one_line
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.dataset import joined, rotated_classes
from quickstudy.learners import LEARNERS, Learner
from quickstudy.learners.draws import seeded
from quickstudy.models.build import build, describe
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import NETS
from quickstudy.runs.arguments import check_applies, given_arguments
from quickstudy.runs.encoding import as_photos, check_weights, encoder_of
from quickstudy.runs.needs import takes
from quickstudy.runs.run import RESULT, Record, Run, recorded
from quickstudy.runs.settings import HYPERPARAMETERS, Settings, check_effects
from quickstudy.runs.sizes import check_sizes
from quickstudy.tasks.episodes import Batches, Episodes
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.omniglot import alphabet
from quickstudy.tasks.source import ClassSource, FunctionSource, Loaded
from quickstudy.tasks.sources import source
from quickstudy.tasks.splits import Split, Splits
from quickstudy.tasks.task import TaskSource
from quickstudy.training import Progress, State, outer_loop
from quickstudy.training.checkpoint import Checkpoints
from quickstudy.training.process import threads
from quickstudy.training.workers import ALONE, Workers, check_shares

_OF_TASKS = ("batch_size", "rotations", "warp", "augment", "within_alphabets", "glyph_classes")
"""Settings that are refused where they have no effect on the training tasks, wherever they come from."""


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
        describe(self.learner)  # raises an error for a learner that could not be saved after the training

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
        optimizer = _optimizer(settings, self.learner)
        schedule, state = _schedule(settings, optimizer), State()
        begun = 0
        if folder is not None:
            self.check(folder, resume=resume)
            checkpoints = Checkpoints(folder / "checkpoints", self.learner, optimizer, schedule, state)
            if resume and checkpoints.steps():
                begun = checkpoints.restore()["metrics_bytes"]
                schedule = checkpoints.schedule = self._continue(Run(folder), optimizer, schedule, state)
        progress = outer_loop(
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
        if folder is None:
            yield from progress
            return
        if state.step >= settings.steps or (settings.patience is not None and state.worse >= settings.patience):
            self.learner.load_state_dict(Run(folder).learner.state_dict())
            if self.workers.rank == 0 and not (folder / RESULT).exists():  # the process was ended before it was written
                Run(folder).save_result()
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

    def _continue(self, run: Run, optimizer: torch.optim.Optimizer, schedule: LRScheduler, state: State) -> LRScheduler:
        """Return the schedule with which a run continues: that of as many steps as the settings say.

        Raises:
            SettingError: The run has more steps than before, but ended for lack of improvement.
        """
        settings, before = self.settings, run.settings.steps
        falls = settings.schedule in ("cosine", "linear")
        if settings.steps > before:
            if settings.patience is not None and state.worse >= settings.patience:
                raise SettingError(
                    f"steps = {settings.steps}: the run ended at step {state.step}, after patience = "
                    f"{settings.patience} validations without improvement; start a new run without patience"
                )
            if falls or type(self.learner).anneal is not Learner.anneal:
                by = f"the outer rate ({settings.schedule})" if falls else f"{settings.algorithm}'s inner loop"
                warnings.warn(
                    f"{by} depends on the number of steps: it followed {before} steps until step {state.step} and "
                    f"follows {settings.steps} from here, so the result differs from {settings.steps} steps at once",
                    stacklevel=2,
                )
        if not falls:
            return schedule
        for group in optimizer.param_groups:
            group["lr"] = group.pop("initial_lr")
        schedule = _schedule(settings, optimizer)
        with warnings.catch_warnings():  # torch expects a step of the optimiser before each step of the schedule
            warnings.simplefilter("ignore", UserWarning)
            for _ in range(state.step):
                schedule.step()
        return schedule

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
        s = self.settings
        episodic = LEARNERS[s.algorithm].episodic
        check_effects(s, _OF_TASKS)
        if isinstance(self.source, FunctionSource):
            return self.source.tasks(s.train_shot or s.n_shot, s.train_query or 0, s.seed, "train")
        assert isinstance(self.source, ClassSource)
        check_sizes(s, self.source.numbered() or self._data())
        data = self._data().train
        if not data.n_classes:
            raise NotEnoughClasses(f"{s.data} has no training classes, only test classes; choose other data")
        if s.rotations == "classes":
            data = rotated_classes(data)
        if s.glyph_classes and s.data != "glyphs":
            data = joined(data, draw_glyphs(range(s.glyph_classes), seed=s.seed))
        data = data.to(self.device)
        if not episodic:
            return Batches(data, s.batch_size or 128, seed=s.seed, warp=s.warp, augment=s.augment)
        way, shot, query = min(s.train_way or s.n_way, data.n_classes), s.train_shot or s.n_shot, s.train_query
        query = s.n_query if query is None else query
        if query == 0 and s.algorithm != "reptile":
            raise SettingError(f"train_query = 0 gives {s.algorithm} no queries to learn from; give 1 or more")
        within = [alphabet(name) for name in data.names] if s.within_alphabets else None
        turn = s.rotations == "tasks"
        try:
            return Episodes(
                data, way, shot, query, seed=s.seed, rotate=turn, warp=s.warp, augment=s.augment, within=within
            )
        except NotEnoughClasses:
            raise NotEnoughClasses(f"train_way = {way} is more than any alphabet has; lower --train-way") from None

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


def _optimizer(settings: Settings, learner: Learner) -> torch.optim.Optimizer:
    cls = torch.optim.SGD if settings.optimizer == "sgd" else torch.optim.Adam
    return cls(learner.parameters(), lr=settings.outer_lr or 1e-3)


def _schedule(settings: Settings, optimizer: torch.optim.Optimizer) -> LRScheduler:
    lr_scheduler = torch.optim.lr_scheduler
    if settings.schedule == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, settings.steps)
    if settings.schedule == "linear":
        return lr_scheduler.LinearLR(optimizer, 1.0, 0.0, settings.steps)
    if settings.schedule == "halving":
        return lr_scheduler.StepLR(optimizer, settings.halve_every, 0.5)
    return lr_scheduler.ConstantLR(optimizer, 1.0)
