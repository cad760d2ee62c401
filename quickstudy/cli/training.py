"""``quickstudy train``."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from quickstudy.errors import Interrupted, SettingError
from quickstudy.runs.launch import launch
from quickstudy.runs.settings import Settings, complete, load_settings

if TYPE_CHECKING:
    from quickstudy.training import Progress

HERE = ("workers", "threads", "device", "worker_timeout")
"""Settings of the machine, which may differ where a run goes on."""


def train(
    flags: dict[str, Any], out: Path | None, config: Path | None, print_settings: bool, resume: Path | None
) -> None:
    """Train as the settings say, or go on with a run, with a progress bar on a terminal."""
    settings = load_settings(config, flags=flags) if resume is None else _resumed(resume, flags, out, config)
    if print_settings:
        print(json.dumps(settings.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    from quickstudy.io.console import messages
    from quickstudy.runs.experiment import Experiment
    from quickstudy.training.workers import ENVIRONMENT, join

    folder = resume or out or Path("runs") / default_name(settings)
    if settings.workers > 1 and "WORLD_SIZE" not in os.environ:
        Experiment(settings).check(folder, resume=resume is not None)  # one line says what is wrong, not one each
        if code := launch(settings.workers, ENVIRONMENT, sys.argv[1:]):
            raise SystemExit(code)
        return
    with join(settings.worker_timeout) as workers, between_steps() as asked:
        messages.quiet |= workers.rank > 0
        experiment = Experiment(settings, workers)
        try:
            watch(experiment.train(folder, resume=resume is not None, stop=asked), settings)
        except Interrupted as error:
            if workers.rank:
                raise SystemExit(error.exit_code) from None  # the first says it for all
            raise
    if workers.rank == 0:
        print(folder)


def watch(progress: Iterator[Progress], settings: Settings) -> None:
    """Walk to the end, with a bar on a terminal."""
    from quickstudy.training import show

    for _ in show(progress, settings.steps, f"{settings.algorithm} on {settings.data}"):
        pass


def _resumed(run: Path, flags: dict[str, Any], out: Path | None, config: Path | None) -> Settings:
    """The settings of a run, with this machine's."""
    from quickstudy.runs.run import read_settings

    other = sorted(flags.keys() - set(HERE)) + ["out"] * (out is not None) + ["config"] * (config is not None)
    if other:
        raise SettingError(
            f"--{other[0].replace('_', '-')} does not go with --resume, which goes on as the run began; "
            f"leave it out, or train anew into another folder"
        )
    return complete(read_settings(run).model_dump() | flags, dict.fromkeys(flags, "the command line"))


@contextmanager
def between_steps() -> Iterator[Callable[[], int]]:
    """Hold back SIGINT and SIGTERM: the function given tells the number of one that came, or 0.

    Raised in the middle of a step, an interrupt would leave torch's function transforms half undone, and crash there.
    A second one ends the process at once. Where the parent process is gone, that is a SIGTERM.
    """
    parent, came = os.getppid(), 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            os._exit(128 + number)
        came = number

    def asked() -> int:
        orphan = "RANK" in os.environ and os.getppid() != parent
        return came or (signal.SIGTERM if orphan else 0)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def default_name(settings: Settings) -> str:
    """Name of a run's folder."""
    s = settings
    return f"{s.algorithm}-{s.data}-{s.n_way}way-{s.n_shot}shot-seed{s.seed}"
