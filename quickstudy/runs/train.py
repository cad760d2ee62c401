"""Training of a run from its settings or from its newest checkpoint, in one process or several."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from quickstudy.errors import Interrupted, SettingError
from quickstudy.io.console import messages
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.launch import launch
from quickstudy.runs.run import Run
from quickstudy.runs.settings import Settings, complete
from quickstudy.runs.signals import between_steps
from quickstudy.training import Progress, show
from quickstudy.training.process import threads
from quickstudy.training.workers import ENVIRONMENT, join

HERE = ("workers", "threads", "device", "worker_timeout")
"""Settings of the machine, which may change if a run is continued."""


def train_run(
    settings: Settings,
    folder: Path | str | None = None,
    *,
    resume: bool = False,
    command: Sequence[str] | None = None,
) -> Path | None:
    """Train a run by its settings, with a progress bar on a terminal.

    SIGINT and SIGTERM end the run after the current step; the run is saved.

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
    with join(settings.worker_timeout) as workers, between_steps() as stop, threads(settings.threads):
        messages.quiet |= workers.rank > 0
        experiment = Experiment(settings, workers)
        try:
            watch(experiment.train(folder, resume=resume, stop=stop), settings)
        except Interrupted as error:
            if workers.rank:
                raise SystemExit(error.exit_code) from None  # only the first worker prints the message
            raise
    return None if workers.rank else folder


def resumed(folder: Path | str, changes: Mapping[str, Any]) -> Settings:
    """Return the settings with which a run is continued on this machine.

    Args:
        folder: Folder of the run.
        changes: Settings of the machine that differ: workers, threads, device and worker_timeout.

    Raises:
        ModelError: The folder is not a run.
        SettingError: A change concerns the training itself, or the run is a model that comes with quickstudy.
    """
    for name in changes:
        if name not in HERE:
            raise SettingError(
                f"--{name.replace('_', '-')} cannot be combined with --resume, which continues with the run's own "
                f"settings; leave it out, or start a new run in another folder"
            )
    run = Run(folder)
    run.check_writable("--init starts a new training from its net")
    return complete(run.settings.model_dump() | dict(changes), dict.fromkeys(changes, "the command line"))


def watch(progress: Iterator[Progress], settings: Settings) -> None:
    """Exhaust the progress of a training, with a progress bar on a terminal."""
    for _ in show(progress, settings.steps, f"{settings.algorithm} on {settings.data}"):
        pass


def default_folder(settings: Settings) -> Path:
    """Return the default folder of a run.

    >>> default_folder(complete({"seed": 7})).as_posix()
    'runs/prototypical-glyphs-5way-1shot-seed7'
    """
    s = settings
    return Path("runs") / f"{s.algorithm}-{s.data}-{s.n_way}way-{s.n_shot}shot-seed{s.seed}"
