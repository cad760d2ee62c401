"""A run's folder: its settings, its metrics and the best weights, written and read."""

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
"""Bytes of metrics that are read."""

Record = Callable[[Progress | None], int]
"""Function that records progress; given None, it returns how many bytes of metrics are safely on the disk."""


class Run:
    """A run's folder as it is now: settings, learner and metrics, each read when it is first asked for.

    Args:
        folder: Folder that ``quickstudy train`` wrote, or the name of a model that comes with quickstudy.

    Attributes:
        name: The folder as it was given.
        folder: The folder itself.
        model: Its model, with the inputs and the calibration that belong to it.

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
        """Contents of ``run.json``: the settings, and with which versions and when the run was made.

        Raises:
            ModelError: The folder is not a run, or its ``run.json`` is damaged.
        """
        path = self.folder / RECORD
        if not self.exists():
            raise ModelError(f"no run in {self.name!r}: {RECORD} is missing; `quickstudy train` makes runs")
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
        """Seconds of training so far; None where they are not recorded."""
        last = self._last()
        return None if last is None else float(last["seconds"])

    @property
    def last_step(self) -> int:
        """Number of the last outer step that is recorded; 0 where none is."""
        last = self._last()
        return 0 if last is None else int(last["step"])

    @property
    def validation(self) -> dict[str, Any] | None:
        """The best validation, whose weights were saved; None where none is recorded."""
        candidates = (line.get("validation") for line in self.metrics())
        validations = [each for each in candidates if isinstance(each, dict) and _is_number(each.get("mean"))]
        sign = 1 if validations and validations[0].get("metric") == "accuracy" else -1
        return max(validations, key=lambda validation: sign * validation["mean"], default=None)

    def summary(self) -> dict[str, Any]:
        """Return how the run was made and how long its training took, for JSON."""
        return {**self.record, "seconds": self.seconds}

    def metrics(self, *, whole: bool = False) -> Iterator[dict[str, Any]]:
        """Yield what each outer step recorded: step, loss, lr, seconds, and skipped and validation where it has them.

        Args:
            whole: Refuse a last line that was cut in the middle, as a killed training may leave it, and a missing file.
                Without, such a line is left out, and a folder without metrics yields nothing.

        Raises:
            ModelError: A line is damaged.
        """
        return (self._parsed(line) for line in self._lines(whole))

    def check_writable(self, advice: str) -> None:
        """Refuse to change a model that comes with quickstudy.

        Args:
            advice: What to do instead.

        Raises:
            SettingError: It is such a model.
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
                    raise ModelError(f"{path} ends in the middle of a line; `quickstudy train --resume` writes it anew")

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
    """Open a run's folder for writing: its settings at once, then metrics of each step and the weights of the best.

    Args:
        folder: Folder of the run.
        settings: Settings of the run.
        learner: Learner that is trained.
        inputs: Inputs that encode what it is trained on; None where tasks are functions.
        state: State from which the run is continued.
        begun: Bytes of metrics that are kept; what follows them was written after the checkpoint.

    Raises:
        SettingError: TensorBoard is asked for and not installed; nothing is written then.
    """
    with ExitStack() as stack:
        # First, for it may refuse, and then nothing is written.
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
    """Yield a function that shows progress to TensorBoard, or does nothing where that is not wanted."""
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
