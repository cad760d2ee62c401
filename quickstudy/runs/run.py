"""Folder of a run: saving and loading of its settings, metrics and best weights."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.base import Inputs
from quickstudy.io.files import named, parse_json, plain_file, read_json, replace
from quickstudy.learners import Learner
from quickstudy.models.folder import SHIPPED, ModelFolder
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import Settings, complete
from quickstudy.training import Progress, State

RECORD, METRICS = "run.json", "metrics.jsonl"
_MOST_METRICS = 2**32
"""Largest size of the metrics in bytes."""

Record = Callable[[Progress | None], int]
"""Function that records progress; for None, it flushes the metrics to the disk and returns their size in bytes."""


class Run:
    """Folder of a run: settings, learner and metrics. Settings and learner are read once, when first needed.

    Args:
        folder: Folder that ``quickstudy train`` wrote, or the name of a model that comes with quickstudy.

    Attributes:
        name: Folder or name as it was given.
        folder: Path of the folder.
        model: Model of the run, with its inputs and its calibration.

    >>> run = Run("glyphs-proto")
    >>> run.settings.algorithm, type(run.learner).__name__, run.seconds, run.last_step
    ('prototypical', 'Prototypical', None, 0)
    """

    def __init__(self, folder: Path | str) -> None:
        self.name, self.model = str(folder), ModelFolder(folder)
        self.folder = self.model.path

    def exists(self) -> bool:
        """Return whether a training began in the folder."""
        return os.path.lexists(self.folder / RECORD)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Contents of ``run.json``: the settings, versions and time of the run.

        Raises:
            ModelError: The folder is not a run, or its ``run.json`` is damaged.
        """
        path = self.folder / RECORD
        if not self.exists():
            raise ModelError(f"no run in {self.name!r}: {RECORD} is missing; make a run by `quickstudy train`")
        record = read_json(path)
        if not isinstance(record, dict) or not isinstance(record.get("settings"), dict):
            raise ModelError(f"{path} cannot be read: it has no 'settings'; train again")
        return record

    @cached_property
    def settings(self) -> Settings:
        """Settings of the training.

        Raises:
            ModelError: The folder is not a run, or a setting is unknown or out of range.
        """
        try:
            return complete(self.record["settings"])
        except SettingError as error:
            raise ModelError(f"{self.folder / RECORD} cannot be read: {error}") from error

    @property
    def learner(self) -> Learner:
        """The trained learner with its best weights, in evaluation mode."""
        return self.model.learner

    @property
    def seconds(self) -> float | None:
        """Seconds of training so far; None if they are not recorded."""
        last = self._last()
        return None if last is None else float(last["seconds"])

    @property
    def last_step(self) -> int:
        """Number of the last recorded outer step; 0 if no step is recorded."""
        last = self._last()
        return 0 if last is None else int(last["step"])

    @property
    def validation(self) -> dict[str, Any] | None:
        """The best validation, whose weights were saved; None if no validation is recorded."""
        candidates = (line.get("validation") for line in self.metrics())
        validations = [each for each in candidates if isinstance(each, dict) and _is_number(each.get("mean"))]
        sign = 1 if validations and validations[0].get("metric") == "accuracy" else -1
        return max(validations, key=lambda validation: sign * validation["mean"], default=None)

    def summary(self) -> dict[str, Any]:
        """Return the record of the run and the seconds of its training, for JSON."""
        return {**self.record, "seconds": self.seconds}

    def metrics(self, *, whole: bool = False) -> Iterator[dict[str, Any]]:
        """Yield the record of each outer step: step, loss, lr, seconds; some records also have skipped and validation.

        Args:
            whole: Refuse a missing file, and an incomplete last line, which a killed training may leave. If False, such
                a line is left out, and a folder without metrics yields nothing.

        Raises:
            ModelError: A line is damaged.
        """
        return (self._parsed(line) for line in self._lines(whole))

    def check_writable(self, advice: str) -> None:
        """Refuse to change a model that comes with quickstudy.

        Args:
            advice: Advice for the message on what to do instead.

        Raises:
            SettingError: The model comes with quickstudy.
        """
        if self.folder.resolve().parent == SHIPPED.resolve():
            raise SettingError(f"{self.name!r} comes with quickstudy and is never changed; {advice}")

    def _lines(self, whole: bool = False) -> Iterator[bytes]:
        path = self.folder / METRICS
        if not whole and not os.path.lexists(path):
            return
        with plain_file(path, _MOST_METRICS) as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line
                elif whole:
                    raise ModelError(f"{path} ends in an incomplete line; repair it by `quickstudy train --resume`")

    def _last(self) -> dict[str, Any] | None:
        last = deque(self._lines(), maxlen=1)
        return self._parsed(last[0]) if last else None

    def _parsed(self, line: bytes) -> dict[str, Any]:
        path = self.folder / METRICS
        metrics = parse_json(path, line)
        if not isinstance(metrics, dict) or not all(_is_number(metrics.get(name)) for name in ("step", "seconds")):
            raise ModelError(f"{path} cannot be read: a line has no step or no seconds")
        return metrics


@contextmanager
def recorded(
    folder: Path, settings: Settings, learner: Learner, inputs: Inputs | None, state: State, begun: int
) -> Iterator[Record]:
    """Open a run's folder for writing: settings first, then the metrics of each step and the best weights.

    Args:
        folder: Folder of the run.
        settings: Settings of the run.
        learner: Learner that is trained.
        inputs: Inputs that encode its data; None if tasks are functions.
        state: State from which the run is continued.
        begun: Size of the metrics at the checkpoint, in bytes; later bytes are removed.

    Raises:
        SettingError: TensorBoard is requested but not installed; nothing is written.
    """
    with ExitStack() as stack:
        # First, because it may raise an error, and then nothing must be written.
        board = stack.enter_context(_board(folder, state, settings.tensorboard))
        folder.mkdir(parents=True, exist_ok=True)
        if not begun:
            record = {"settings": settings.model_dump(mode="json"), **provenance()}
            replace(folder / RECORD, json.dumps(record, indent=2).encode())
        stack.enter_context(named(folder / METRICS))
        metrics = stack.enter_context((folder / METRICS).open("ab"))
        metrics.truncate(begun)

        def write(p: Progress | None) -> int:
            if p is None:
                metrics.flush()
                os.fsync(metrics.fileno())
                return metrics.tell()
            if p.best:
                ModelFolder(folder).write(learner, inputs)
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


@contextmanager
def _board(folder: Path, state: State, wanted: bool) -> Iterator[Callable[[Progress], None]]:
    """Yield a function that writes progress for TensorBoard if that is wanted, and otherwise does nothing."""
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


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 2**53  # no NaN either
