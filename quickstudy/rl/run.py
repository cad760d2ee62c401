"""Folder of a training on environments: settings, metrics, weights and checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from quickstudy.errors import ModelError, SettingError
from quickstudy.io.files import named, parse_json, plain_file, read_json, replace
from quickstudy.io.tensors import pack, unpack
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.learners.base import Agent
from quickstudy.rl.settings import Settings, build_agent, build_environment, settings_of
from quickstudy.runs.provenance import provenance

RECORD, METRICS, RESULT, WEIGHTS = "run.json", "metrics.jsonl", "result.json", "model.safetensors"
_MOST_METRICS = 2**30


class Run:
    """Folder that ``quickstudy rl train`` wrote. Settings, environment and agent are read when first needed.

    Args:
        folder: Folder of the run.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)

    def exists(self) -> bool:
        """Return whether a training began in the folder."""
        return os.path.lexists(self.folder / RECORD)

    @cached_property
    def record(self) -> dict[str, Any]:
        """Contents of ``run.json``: settings, versions and time.

        Raises:
            ModelError: The folder is not such a run.
        """
        if not self.exists():
            raise ModelError(f"no run in {str(self.folder)!r}: {RECORD} is missing; make one by `quickstudy rl train`")
        record = read_json(self.folder / RECORD)
        settings = record.get("settings") if isinstance(record, dict) else None
        if not isinstance(settings, dict) or "agent" not in settings:
            raise ModelError(f"{self.folder / RECORD} is not the record of `quickstudy rl train`; give such a run")
        return dict(record)

    @cached_property
    def settings(self) -> Settings:
        """Settings of the training.

        Raises:
            ModelError: The folder is not such a run, or a setting is unknown or out of range.
        """
        try:
            return settings_of(self.record["settings"])
        except SettingError as error:
            raise ModelError(f"{self.folder / RECORD} cannot be read: {error}") from error

    @cached_property
    def environment(self) -> Environment:
        """Distribution of environments of the training."""
        return build_environment(self.settings)

    @cached_property
    def agent(self) -> Agent:
        """Trained agent.

        Raises:
            ModelError: The weights are missing, damaged, or of another agent.
        """
        if self.exists() and not os.path.lexists(self.folder / WEIGHTS):
            raise ModelError(
                f"the run in {str(self.folder)!r} has no {WEIGHTS}: it ended before its first save; continue it by "
                f"`quickstudy rl train --resume`"
            )
        agent = build_agent(self.settings, self.environment)
        expected = {name: (t.dtype, tuple(t.shape)) for name, t in agent.state_dict().items()}
        agent.load_state_dict(unpack(self.folder / WEIGHTS, expected))
        return agent

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the record of each outer step; an incomplete last line is left out.

        Raises:
            ModelError: A line is damaged.
        """
        path = self.folder / METRICS
        if not os.path.lexists(path):
            return
        with plain_file(path, _MOST_METRICS) as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield parse_json(path, line)

    def save_result(self, evaluation: dict[str, Any]) -> None:
        """Write an evaluation into ``result.json``, in place of an earlier one of the same tasks and updates.

        Raises:
            ModelError: The file is damaged.
        """
        path = self.folder / RESULT
        content = read_json(path) if path.exists() else {"evaluations": []}
        before = content.get("evaluations") if isinstance(content, dict) else None
        if not isinstance(before, list) or not all(isinstance(each, dict) for each in before):
            raise ModelError(f"{path} is damaged; delete it, and evaluate again")
        others = [each for each in before if _question(each) != _question(evaluation)]
        replace(path, _json({"evaluations": [*others, evaluation]}))


class Recorder:
    """Writer of a run's folder.

    Args:
        folder: Folder of the run.
        agent: Agent that is trained.
        metrics: Open file of the metrics.
    """

    def __init__(self, folder: Path, agent: Agent, metrics: Any) -> None:
        self.folder, self.agent, self._metrics = folder, agent, metrics

    def add(self, line: dict[str, Any]) -> None:
        """Add the record of a step."""
        self._metrics.write(json.dumps(line).encode() + b"\n")
        self._metrics.flush()

    def save(self) -> int:
        """Write the weights, sync the metrics, and return their size in bytes."""
        for name, tensor in self.agent.state_dict().items():
            if not bool(torch.isfinite(tensor).all()):
                raise ModelError(f"{name!r} holds NaN or infinity; train with other settings")
        (self.folder / RESULT).unlink(missing_ok=True)  # it is of earlier weights
        replace(self.folder / WEIGHTS, pack(self.agent.state_dict()))
        self._metrics.flush()
        os.fsync(self._metrics.fileno())
        return int(self._metrics.tell())


@contextmanager
def recorded(folder: Path, settings: Settings, agent: Agent, begun: int) -> Iterator[Recorder]:
    """Open a run's folder for writing.

    Args:
        folder: Folder of the run.
        settings: Settings of the run.
        agent: Agent that is trained.
        begun: Size of the metrics at the checkpoint from which the run continues; later bytes are removed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not begun:
        record = {"settings": settings.model_dump(mode="json"), **provenance()}
        replace(folder / RECORD, _json(record))
    elif settings != Run(folder).settings:  # continued to more steps
        before = Run(folder).record
        new = settings.model_dump(mode="json")
        extensions = [*before.get("extensions", []), {"steps_before": before["settings"].get("steps"), **provenance()}]
        replace(folder / RECORD, _json({**before, "settings": new, "extensions": extensions}))
    with named(folder / METRICS), (folder / METRICS).open("rb+" if begun else "wb") as metrics:
        metrics.truncate(begun)
        metrics.seek(0, os.SEEK_END)
        yield Recorder(folder, agent, metrics)


def _question(evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return what was evaluated, without what was measured."""
    about = {name: value for name, value in evaluation.items() if name not in ("means", "ci95")}
    return about | {"updates": len(evaluation.get("means", []))}


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2) + "\n").encode()
