"""A run's folder: what was asked, how it went, and the best weights."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from quickstudy.errors import ModelError, SettingError
from quickstudy.io.files import named, replace
from quickstudy.learners import Learner
from quickstudy.models.build import load, locate, save
from quickstudy.models.seal import seal
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import Settings, complete
from quickstudy.tasks.sources import Source
from quickstudy.training import Progress, State

Record = Callable[[Progress | None], int]
"""Writes progress down; given none, says how many bytes of metrics are safely on the disk."""


@contextmanager
def recorded(
    folder: Path, settings: Settings, learner: Learner, source: Source | None, state: State, begun: int
) -> Iterator[Record]:
    """What writes a run down: its settings at once, then metrics of each step and the weights of the best.

    Args:
        folder: Of the run.
        settings: Of the run.
        learner: That is trained.
        source: What it is trained on; None where that is drawn.
        state: Where the run goes on from.
        begun: Bytes of metrics that stand already; what follows them was written after the checkpoint.

    Raises:
        SettingError: TensorBoard is asked for and not installed; nothing is written then.
    """
    kept: dict[str, Any] = source._asdict() if source else {}
    kept = {name: vars(one) if is_dataclass(one) else one for name, one in kept.items() if name != "splits"}
    with ExitStack() as stack:
        # First, for it may refuse, and then nothing is written.
        board = stack.enter_context(_board(folder, state, settings.tensorboard))
        folder.mkdir(parents=True, exist_ok=True)
        if not begun:
            record = {"settings": settings.model_dump(mode="json"), **provenance()}
            replace(folder / "run.json", json.dumps(record, indent=2).encode())
        stack.enter_context(named(folder / "metrics.jsonl"))
        metrics = stack.enter_context((folder / "metrics.jsonl").open("ab"))
        metrics.truncate(begun)

        def write(p: Progress | None) -> int:
            if p is None:
                metrics.flush()
                os.fsync(metrics.fileno())
                return metrics.tell()
            if p.best:
                save(learner, folder, **kept)
                seal(folder)
            line: dict[str, Any] = {"step": p.step, "loss": p.loss, "lr": p.lr, "seconds": round(p.seconds, 3)}
            if p.skipped:
                line["skipped"] = p.skipped
            if p.validation is not None:
                line["validation"] = p.validation.summary()
            metrics.write(json.dumps(line).encode() + b"\n")
            metrics.flush()
            board(p)
            return 0

        yield write


def read_settings(folder: Path) -> Settings:
    """The settings of a run folder.

    Raises:
        ModelError: The folder is no run.
    """
    folder = locate(folder)
    try:
        return complete(json.loads((folder / "run.json").read_bytes())["settings"])
    except FileNotFoundError:
        raise ModelError(f"no run in {str(folder)!r}: run.json is missing; `quickstudy train` makes runs") from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"{folder / 'run.json'} cannot be read: {error}") from error


def open_run(folder: Path) -> tuple[Settings, Learner]:
    """The settings of a run folder and its trained learner.

    Raises:
        ModelError: The folder is no run.
    """
    return read_settings(folder), load(folder)


@contextmanager
def _board(folder: Path, state: State, wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """What shows progress to TensorBoard; nothing where that is not asked for."""
    if not wanted:
        yield lambda p: None
        return
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise SettingError("tensorboard is not installed; pip install 'quickstudy[tensorboard]'") from None

    def show(p: Progress) -> None:
        writer.add_scalar("loss", p.loss, p.step)
        writer.add_scalar("outer_lr", p.lr, p.step)
        if p.validation is not None:
            writer.add_scalar(f"validation/{p.validation.metric}", p.validation.mean, p.step)

    with SummaryWriter(str(folder / "tensorboard"), purge_step=state.step + 1) as writer:
        yield show
