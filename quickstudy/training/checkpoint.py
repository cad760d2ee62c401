"""A run's state on disk: one folder per step, written atomically.

Files are written and synced, then a manifest of their SHA-256, then the folder is renamed and its parent synced. A
checkpoint that was damaged later does not match its manifest, and the one before it is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from quickstudy.errors import CheckpointError, one_line
from quickstudy.io.files import whole_folder
from quickstudy.io.tensors import unshared
from quickstudy.training.outer import State

KEEP = 2
"""Number of newest checkpoints that are kept, besides the best one."""

FORMAT = 1
"""Format number of a checkpoint; a later version writes a higher number."""

Tensors = dict[str, dict[str, Tensor]]


class Checkpoints:
    """The checkpoints of one run.

    Args:
        folder: Folder that holds the checkpoints.
        learner, optimizer, schedule, state: Objects that the outer loop changes; ``restore`` fills them.
    """

    def __init__(
        self, folder: Path, learner: nn.Module, optimizer: Optimizer, schedule: LRScheduler, state: State
    ) -> None:
        self.folder, self.learner, self.optimizer, self.schedule, self.state = (
            folder, learner, optimizer, schedule, state,
        )  # fmt: skip

    def save(self, **record: Any) -> None:
        """Write the current state with a record of plain data, and remove older checkpoints.

        A valid checkpoint of the same step is not written again, since a run is deterministic.
        """
        folder = self.folder / f"step-{self.state.step:09d}"
        if _whole(folder):
            return
        moments, groups = _split(self.optimizer)
        # A loop that has ended has given the learner its best weights.
        tensors: Tensors = {"learner": self.state.last_weights or self.learner.state_dict(), "optimizer": moments}
        if self.state.best_weights is not None:
            tensors["best"] = self.state.best_weights
        loop = {name: value for name, value in vars(self.state).items() if not name.endswith("_weights")}
        plain = {"format": FORMAT, "loop": loop, "groups": groups, "schedule": self.schedule.state_dict(), **record}
        write(folder, tensors, plain)
        stay = {self.state.best_step, *self.steps()[-KEEP:]}
        for step in self.steps():
            if step not in stay:
                shutil.rmtree(self.folder / f"step-{step:09d}", ignore_errors=True)

    def restore(self) -> dict[str, Any]:
        """Fill everything from the newest valid checkpoint, and return its record.

        A damaged checkpoint is skipped with a warning.

        Raises:
            CheckpointError: No checkpoint is valid.
        """
        for step in reversed(self.steps()):
            folder = self.folder / f"step-{step:09d}"
            try:
                tensors, plain = read(folder)
                try:
                    self._fill(tensors, plain)
                except (AttributeError, IndexError, KeyError, TypeError, ValueError, RuntimeError) as error:
                    reason = one_line(error)
                    raise CheckpointError(f"{folder} does not fit the run's settings: {reason}") from error
            except CheckpointError as error:
                warnings.warn(f"skipped a damaged checkpoint: {error}", stacklevel=2)
                continue
            return plain
        raise CheckpointError(f"no valid checkpoint in {str(self.folder)!r}; train again into another folder")

    def steps(self) -> list[int]:
        """Return the steps that have a checkpoint, in ascending order."""
        names = [path.name for path in self.folder.glob("step-*") if path.name[5:].isdecimal()]
        return sorted(int(name[5:]) for name in names)

    def _fill(self, tensors: Tensors, plain: dict[str, Any]) -> None:
        if plain.get("format") != FORMAT:
            raise ValueError(f"format {plain.get('format')!r}, this version reads {FORMAT}; upgrade quickstudy")
        self.learner.load_state_dict(tensors["learner"])
        state: dict[int, dict[str, Tensor]] = {}
        for name, tensor in tensors["optimizer"].items():
            index, key = name.split(".", 1)
            state.setdefault(int(index), {})[key] = tensor
        self.optimizer.load_state_dict({"state": state, "param_groups": plain["groups"]})
        self.schedule.load_state_dict(plain["schedule"])
        for name, value in plain["loop"].items():
            setattr(self.state, name, value)
        self.state.best_weights, self.state.last_weights = tensors.get("best"), None


def _split(optimizer: Optimizer) -> tuple[dict[str, Tensor], list[dict[str, Any]]]:
    """Return an optimiser's tensors by name, and its parameter groups as plain data."""
    held = optimizer.state_dict()
    moments = {
        f"{index}.{key}": value
        for index, entries in held["state"].items()
        for key, value in entries.items()
        if isinstance(value, Tensor)
    }
    return moments, held["param_groups"]


def write(folder: Path, tensors: Tensors, plain: dict[str, Any]) -> None:
    """Write a folder of tensors and plain data atomically."""
    files = {
        f"{name}.safetensors": save_tensors({k: unshared(t) for k, t in part.items()}) for name, part in tensors.items()
    }
    files["state.json"] = json.dumps(plain).encode()
    sums = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    files["manifest.json"] = json.dumps(sums).encode()  # the last
    with whole_folder(folder) as partial:
        for name, content in files.items():
            with (partial / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())


def read(folder: Path) -> tuple[Tensors, dict[str, Any]]:
    """Read what ``write`` wrote, and check every byte.

    Raises:
        CheckpointError: A file is missing or was changed.
    """
    try:
        sums = json.loads((folder / "manifest.json").read_bytes())
        files = {name: (folder / name).read_bytes() for name in _plain_names(sums)}
    except (OSError, ValueError) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error
    for name, content in files.items():
        if hashlib.sha256(content).hexdigest() != sums[name]:
            raise CheckpointError(f"{folder / name} was changed: its SHA-256 differs")
    try:
        plain = json.loads(files.pop("state.json"))
        return {name.removesuffix(".safetensors"): load_tensors(content) for name, content in files.items()}, plain
    except (KeyError, ValueError, SafetensorError) as error:
        raise CheckpointError(f"{folder} cannot be read: {error}") from error


def _plain_names(sums: Any) -> Iterable[str]:
    known = {"learner.safetensors", "optimizer.safetensors", "best.safetensors", "state.json"}
    if not isinstance(sums, dict) or not {"learner.safetensors", "state.json"} <= sums.keys() <= known:
        raise ValueError("manifest.json is not a checkpoint manifest")
    return sums


def _whole(folder: Path) -> bool:
    try:
        read(folder)
    except CheckpointError:
        return False
    return True
