"""Training of a run from its settings or from its newest checkpoint, in one process or several."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quickstudy.errors import Interrupted, SettingError
from quickstudy.io.console import messages, note
from quickstudy.learners.registry import LEARNERS
from quickstudy.runs.budget import shorten
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.launch import launch
from quickstudy.runs.needs import takes
from quickstudy.runs.run import Run
from quickstudy.runs.settings import Settings, complete
from quickstudy.runs.signals import between_steps
from quickstudy.training import Progress, show
from quickstudy.training.process import threads
from quickstudy.training.workers import ENVIRONMENT, join

HERE = ("workers", "threads", "device", "worker_timeout", "minutes")
"""Settings of the machine, which may change if a run is continued."""
_LONG = 600
"""Seconds of training from which their number is reported in advance."""
_SLOW = 10.0
"""Seconds of a first step after which no second one is waited for."""


def train_run(
    settings: Settings,
    folder: Path | str | None = None,
    *,
    resume: bool = False,
    command: Sequence[str] | None = None,
) -> Path | None:
    """Train a run by its settings, with a progress bar on a terminal.

    SIGINT and SIGTERM end the run after the current step; the run is saved.

    With the setting ``minutes``, a new run gets as many steps as fit (``quickstudy.runs.budget.shorten``), and its
    schedule is that of these steps. If the minutes are over before, the run ends at the end of a step, with a
    validation, a checkpoint and its result. It can be continued later, and ends with the same weights.

    Args:
        settings: Settings from ``load_settings``, ``complete`` or ``resumed``.
        folder: Folder of the run; ``default_folder`` if None.
        resume: Continue the run in the folder from its newest checkpoint.
        command: Arguments of the ``quickstudy`` command that called this; each of several workers runs it again.

    Returns:
        Folder of the run; None in all worker processes except the first.

    Raises:
        SettingError: The settings do not fit each other, or there is a run in the folder already.
        Interrupted: A signal ended the run, which was saved.
        SystemExit: A worker failed, and has printed why.

    >>> from tempfile import TemporaryDirectory
    >>> settings = complete({"data": "sinusoid", "algorithm": "maml", "steps": 2, "validation_tasks": 2})
    >>> with TemporaryDirectory() as place:
    ...     Run(train_run(settings, Path(place, "run"))).last_step
    2
    """
    folder = Path(folder or default_folder(settings))
    if settings.workers > 1 and "WORLD_SIZE" not in os.environ:
        if command is None:
            raise SettingError(
                f"workers = {settings.workers}: Python trains in its own process; use `quickstudy train --workers "
                f"{settings.workers}`, or torchrun"
            )
        Experiment(settings).check(folder, resume=resume)  # so that an error is printed once, not by each worker
        if code := launch(settings.workers, ENVIRONMENT, list(command)):
            raise SystemExit(code)
        return folder
    begun = time.monotonic()
    with join(settings.worker_timeout) as workers, between_steps() as stop, threads(settings.threads):
        messages.quiet |= workers.rank > 0
        experiment = Experiment(settings, workers)
        if settings.minutes is not None and not resume:
            experiment.check(folder)
            settings = shorten(settings, settings.minutes, workers)
            experiment = Experiment(settings, workers)
        progress = experiment.train(folder, resume=resume, stop=stop, spent=time.monotonic() - begun)
        try:
            watch(_with_estimate(progress, settings), settings)
        except Interrupted as error:
            if workers.rank:
                raise SystemExit(error.exit_code) from None  # only the first worker prints the message
            raise
    if workers.rank:
        return None
    last = Run(folder).last_step
    if settings.minutes is not None and last < settings.steps and time.monotonic() - begun >= 60 * settings.minutes:
        note(
            f"ended after {settings.minutes:g} minutes at step {last:,} of {settings.steps:,}, and saved; continue by "
            f"`quickstudy train --resume {folder}`"
        )
    return folder


def resumed(folder: Path | str, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with which a run is continued on this machine.

    Args:
        folder: Folder of the run.
        changes: Settings of the machine that differ (workers, threads, device, worker_timeout and minutes), and steps
            if the run is to be trained longer. The minutes of the training before are not used again.

    Raises:
        ModelError: The folder is not a run.
        SettingError: A change concerns the training itself, there are fewer steps than before, or the run is a model
            that comes with quickstudy.
    """
    for name in changes:
        if name not in (*HERE, "steps"):
            raise SettingError(
                f"--{name.replace('_', '-')} cannot be combined with --resume, which continues with the run's own "
                f"settings; leave it out, or start a new run in another folder"
            )
    run = Run(folder)
    run.check_writable("--init starts a new training from its net")
    changed = {"minutes": None, **changes}
    settings = complete(run.settings.model_dump() | changed, dict.fromkeys(changes, "the command line"))
    if settings.steps < run.settings.steps:
        raise SettingError(
            f"--steps {settings.steps}: the run in {str(folder)!r} has {run.settings.steps} steps; give more to train "
            f"it longer"
        )
    return settings


def watch(progress: Iterator[Progress], settings: Settings) -> None:
    """Exhaust the progress of a training, with a progress bar on a terminal."""
    for _ in show(progress, settings.steps, f"{settings.algorithm} on {settings.data}"):
        pass


def _with_estimate(progress: Iterator[Progress], settings: Settings) -> Iterator[Progress]:
    """Yield the same progress, and report once, after a step or two, how long a long training takes."""
    before: Progress | None = None
    reported = False
    for p in progress:
        yield p
        # The first step of a process also allocates memory, so it is believed only where it is long.
        if not reported and (before is not None or (p.seconds >= _SLOW and p.step == 1)):
            reported = True
            each = p.seconds - (0.0 if before is None else before.seconds)
            if each * (left := settings.steps - p.step) >= _LONG and settings.minutes is None:
                note(
                    f"a step takes about {length(each)}; {left:,} steps need about {length(each * left)}; "
                    f"{_shorter(settings)}"
                )
        before = p


def _shorter(settings: Settings) -> str:
    """Return which flags shorten a training."""
    flags = ["--minutes"]
    if settings.workers == 1 < (settings.tasks_per_step or 1) and (os.cpu_count() or 1) > 1:
        flags.append("--workers")
    if takes(LEARNERS, settings.algorithm, "first_order") and not settings.first_order:
        flags.append("--first-order")
    flags.append("--steps")
    return f"{', '.join(flags[:-1])} and {flags[-1]} shorten it"


def length(seconds: float) -> str:
    """Return a length of time in words, to two digits.

    >>> length(0.123), length(49.6), length(780), length(50000)
    ('0.12 s', '50 s', '13 min', '14 h')
    """
    for unit, size in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * size:
            return f"{seconds / size:.2g} {unit}" if seconds < 99 * size else f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.2g} s"


def default_folder(settings: Settings) -> Path:
    """Return the default folder of a run.

    >>> default_folder(complete({"seed": 7})).as_posix()
    'runs/prototypical-glyphs-5way-1shot-seed7'
    """
    s = settings
    return Path("runs") / f"{s.algorithm}-{s.data}-{s.n_way}way-{s.n_shot}shot-seed{s.seed}"
