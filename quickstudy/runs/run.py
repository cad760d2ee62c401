"""Folder of a run: saving and loading of its settings, metrics and best weights."""

from __future__ import annotations

import json
import os
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, BinaryIO

from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.base import Inputs
from quickstudy.io.files import named, parse_json, plain_file, read_json, replace
from quickstudy.learners import Learner
from quickstudy.models.folder import SHIPPED, ModelFolder, refuse_agent
from quickstudy.nets.copies import copied
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import Settings, complete
from quickstudy.training import Progress, State

RECORD, METRICS, RESULT = "run.json", "metrics.jsonl", "result.json"
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

    @property
    def shipped(self) -> bool:
        """Whether this is a model that comes with quickstudy, which is never changed."""
        return self.folder.resolve().parent == SHIPPED.resolve()

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
        refuse_agent(self.name, record)
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

    @property
    def result(self) -> dict[str, Any]:
        """Best validation, steps that were done and planned, and seconds of the training, for JSON."""
        return {
            "validation": self.validation,
            "step": self.last_step,
            "steps": self.settings.steps,
            "seconds": self.seconds,
        }

    @property
    def evaluations(self) -> list[dict[str, Any]]:
        """The evaluations of the run since its training ended, one for each kind of tasks.

        Raises:
            ModelError: ``result.json`` is damaged.
        """
        path = self.folder / RESULT
        if not os.path.lexists(path):
            return []
        result = read_json(path)
        evaluations = result.get("evaluations") if isinstance(result, dict) else None
        if not isinstance(evaluations, list) or not all(isinstance(each, dict) for each in evaluations):
            raise ModelError(f"{path} cannot be read: it has no list of evaluations; remove it and evaluate again")
        return evaluations

    def save_result(self, evaluation: dict[str, Any] | None = None) -> None:
        """Write ``result.json``: the best validation, the steps and seconds of the training, and all evaluations.

        A model that comes with quickstudy is not changed. A folder that cannot be written is not an error.

        Args:
            evaluation: New evaluation, which replaces an earlier one of the same tasks.
        """
        if self.shipped:
            return
        evaluations = self.evaluations
        if evaluation is not None:
            measured = {"mean", "ci95", "median", "seconds_per_adaptation", "error", "evaluation"}
            tasks = {name: value for name, value in evaluation.items() if name not in measured}
            others = [each for each in evaluations if {k: v for k, v in each.items() if k not in measured} != tasks]
            evaluations = [*others, evaluation]
        text = json.dumps({**self.result, "evaluations": evaluations}, indent=2) + "\n"
        try:
            replace(self.folder / RESULT, text.encode())
        except OSError as error:
            warnings.warn(f"{self.folder / RESULT} is not written: {error.strerror}", stacklevel=2)

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
        if self.shipped:
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
        run = Run(folder)
        if not begun:
            record = {"settings": settings.model_dump(mode="json"), **provenance()}
            replace(folder / RECORD, json.dumps(record, indent=2).encode())
        elif settings.steps != run.settings.steps:
            replace(folder / RECORD, json.dumps(_extended(run.record, settings, state), indent=2).encode())
        (folder / RESULT).unlink(missing_ok=True)
        stack.enter_context(named(folder / METRICS))
        metrics = stack.enter_context((folder / METRICS).open("rb+" if begun else "wb"))
        metrics.truncate(begun)
        only_last = state.step % settings.validate_every and state.step != state.best_step
        if begun and only_last and _drop_last_validation(metrics):
            _write_best(folder, learner, inputs, state)
        metrics.seek(0, os.SEEK_END)

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


def _extended(record: dict[str, Any], settings: Settings, state: State) -> dict[str, Any]:
    """Return the record of a run that is continued to more steps, with the steps before and how it is continued."""
    extension = {"step": state.step, "steps_before": record["settings"].get("steps"), **provenance()}
    return {
        **record,
        "settings": {**record["settings"], "steps": settings.steps},
        "extensions": [*record.get("extensions", []), extension],
    }


def _drop_last_validation(metrics: BinaryIO) -> bool:
    """Remove the validation of the last line, which only the end of the training caused, and return whether it had one.

    The line keeps its length, because checkpoints record sizes of the file.
    """
    metrics.seek(0)
    line = deque(metrics, maxlen=1)[0]
    values = json.loads(line)
    if values.pop("validation", None) is None:
        return False
    metrics.seek(-len(line), os.SEEK_END)
    metrics.write(json.dumps(values).encode().ljust(len(line) - 1) + b"\n")
    return True


def _write_best(folder: Path, learner: Learner, inputs: Inputs | None, state: State) -> None:
    """Write the weights of the best validation, if there is one, and leave the learner as it is."""
    if state.best_weights is not None:
        best = copied(learner)
        best.load_state_dict(state.best_weights)
        ModelFolder(folder).write(best.eval(), inputs)


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
