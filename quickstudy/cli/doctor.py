"""``quickstudy doctor``."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from quickstudy.errors import ModelError, QuickstudyError
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.run import read_settings
from quickstudy.training.checkpoint import read


def doctor(folder: Path, as_json: bool) -> None:
    """Look at everything in a folder, and say what is broken."""
    looked: list[str] = []
    faults = list(_faults(folder, looked))
    if as_json:
        print(json.dumps({"folder": str(folder), "looked_at": looked, "faults": faults}))
    else:
        for line in faults:
            print(line)
        print(f"{len(faults)} faults" if faults else f"sound: {', '.join(looked)}")
    if faults:
        raise SystemExit(1)


def _faults(folder: Path, looked: list[str]) -> Iterator[str]:
    if not folder.is_dir():
        raise ModelError(f"no folder {str(folder)!r}; give that of a run or of a classifier")
    if (folder / "run.json").exists():
        looked.append("settings")
        try:
            read_settings(folder)
        except QuickstudyError as error:
            yield str(error)
        looked.append("metrics")
        yield from _metrics(folder / "metrics.jsonl")
        for checkpoint in sorted((folder / "checkpoints").glob("step-*")):
            looked.append(checkpoint.name)
            try:
                read(checkpoint)
            except QuickstudyError as error:
                yield str(error)
    looked.append("model")
    try:
        yield from ModelFolder(folder).faults()
    except QuickstudyError as error:
        yield str(error)


def _metrics(path: Path) -> Iterator[str]:
    try:
        steps = [json.loads(line)["step"] for line in path.read_bytes().splitlines()]
    except (OSError, ValueError, KeyError, TypeError) as error:
        yield f"{path} cannot be read: {error}"
        return
    if steps != list(range(1, len(steps) + 1)):
        yield f"{path} misses a step or has one twice"
