"""Examination of the folder of a run or of a classifier."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from quickstudy.errors import ModelError, QuickstudyError
from quickstudy.runs.run import METRICS, Run
from quickstudy.training.checkpoint import read


class Report(NamedTuple):
    """Result of an examination.

    Attributes:
        looked_at: Examined parts: settings, metrics, the name of each checkpoint, model.
        faults: Faults, one line each.
    """

    looked_at: tuple[str, ...]
    faults: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Whether there are no faults."""
        return not self.faults


def doctor(folder: Path | str) -> Report:
    """Examine a run or a classifier: checksums, settings, checkpoints, weights, and its answers to a stored probe.

    Args:
        folder: Folder of a run or of a classifier, or the name of a model that comes with quickstudy.

    Raises:
        ModelError: The folder is missing.

    >>> doctor("glyphs-proto")
    Report(looked_at=('settings', 'model'), faults=())
    """
    run = Run(folder)
    if not run.folder.is_dir():
        raise ModelError(f"no folder {run.name!r}; give the folder of a run or of a classifier")
    looked_at: list[str] = []
    faults = tuple(_faults(run, looked_at))
    return Report(tuple(looked_at), faults)


def _faults(run: Run, looked_at: list[str]) -> Iterator[str]:
    """Yield each fault, and append what is examined to a list."""
    if run.exists():
        looked_at.append("settings")
        try:
            _ = run.settings
        except QuickstudyError as error:
            yield str(error)
        checkpoints = run.folder / "checkpoints"
        if checkpoints.exists() or (run.folder / METRICS).exists():  # a model that was shared has neither
            looked_at.append("metrics")
            yield from _faults_of_metrics(run)
        for checkpoint in sorted(checkpoints.glob("step-*")):
            looked_at.append(checkpoint.name)
            try:
                read(checkpoint)
            except QuickstudyError as error:
                yield str(error)
    looked_at.append("model")
    try:
        yield from run.model.faults()
    except QuickstudyError as error:
        yield str(error)


def _faults_of_metrics(run: Run) -> Iterator[str]:
    try:
        steps = [line["step"] for line in run.metrics(whole=True)]
    except QuickstudyError as error:
        yield str(error)
        return
    if steps != list(range(1, len(steps) + 1)):
        yield f"{run.folder / METRICS} has a missing or repeated step"
