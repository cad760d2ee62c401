"""``quickstudy train``."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from quickstudy.settings import Settings, load_settings


def train(flags: dict[str, Any], out: Path | None, config: Path | None, print_settings: bool) -> None:
    """Train as the settings say, with a progress bar on a terminal."""
    settings = load_settings(config, flags=flags)
    if print_settings:
        print(settings.model_dump_json(indent=2))
        return
    from quickstudy.experiment import Experiment
    from quickstudy.training import show
    from quickstudy.workers import ENVIRONMENT, join

    folder = out or Path("runs") / default_name(settings)
    if settings.workers > 1 and "WORLD_SIZE" not in os.environ:
        Experiment(settings).check(folder)  # here one line says what is wrong; there each process would
        launch(settings.workers, ENVIRONMENT)
    with join() as workers, between_steps() as check:
        progress = Experiment(settings, workers).train(folder)
        for _ in show(progress, settings.steps, f"{settings.algorithm} on {settings.data}", quiet=workers.rank > 0):
            check()
    if workers.rank == 0:
        print(folder)


def launch(workers: int, environment: dict[str, str]) -> None:
    """Become torchrun, which starts this same command ``workers`` times."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(workers)]
    os.execve(sys.executable, [*torchrun, "--module", "quickstudy", *sys.argv[1:]], environment | os.environ)


@contextmanager
def between_steps() -> Iterator[Callable[[], None]]:
    """Hold back Ctrl-C until the function given is called; a second Ctrl-C ends the process at once.

    Raised in the middle of a step, an interrupt would leave torch's function transforms half undone, and crash there.
    """
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(130)
        asked = True

    def check() -> None:
        if asked:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield check
    finally:
        signal.signal(signal.SIGINT, before)


def default_name(settings: Settings) -> str:
    """Name of a run's folder."""
    s = settings
    return f"{s.algorithm}-{s.data}-{s.n_way}way-{s.n_shot}shot-seed{s.seed}"
