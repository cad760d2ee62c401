"""What a model folder was when it was written: the hashes of its files, and what it answered then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as save_tensors

from quickstudy.errors import ModelError
from quickstudy.learners import Learner
from quickstudy.model import load, read_tensors, replace
from quickstudy.tasks.task import Examples, Task

FILES = ("config.json", "model.safetensors", "support.safetensors", "probe.safetensors")

TOLERANCE = 1e-4
"""Relative to the largest answer: other machines and versions of torch round otherwise."""


def seal(folder: Path, learner: Learner) -> None:
    """Write down a saved learner's answers to a task of noise, and the hashes of its files."""
    task = _noise(learner)
    if task is not None:
        tensors = {"support.x": task.support.x, "support.y": task.support.y, "query.x": task.query.x}
        tensors["answers"] = _answers(learner, task)
        content = save_tensors({name: t.detach().cpu().contiguous() for name, t in tensors.items()})
        replace(folder / "probe.safetensors", content)
    sums = {name: _sha256(folder / name) for name in FILES if (folder / name).exists()}
    replace(folder / "seal.json", json.dumps(sums, indent=2).encode())


def broken(folder: Path) -> Iterator[str]:
    """What is not as it was sealed, a line each.

    Raises:
        ModelError: There is no seal, or the model cannot be loaded at all.
    """
    try:
        sums = json.loads((folder / "seal.json").read_bytes())
        for name in sorted(sums.keys() & set(FILES)):
            if _sha256(folder / name) != sums[name]:
                yield f"{folder / name} is not as it was written: its SHA-256 differs"
    except (OSError, ValueError, AttributeError) as error:
        raise ModelError(f"{folder / 'seal.json'} cannot be read: {error}; train or adapt again") from error
    learner = load(folder)
    if "probe.safetensors" not in sums:
        return
    probe = read_tensors(folder / "probe.safetensors")
    try:
        query = Examples(probe["query.x"], probe["query.x"])
        found = _answers(learner, Task(Examples(probe["support.x"], probe["support.y"]), query))
        off = float((found - probe["answers"]).abs().max() / probe["answers"].abs().max())
    except (KeyError, RuntimeError) as error:
        raise ModelError(f"{folder / 'probe.safetensors'} does not fit the model: {error}") from error
    if not off <= TOLERANCE:
        yield f"{folder} answers its stored inputs otherwise than when it was written, by {off:.1e} relative"


def _noise(learner: Learner) -> Task | None:
    """A task of one example a class, and one query; None for a net that does not say what it takes."""
    net: Any = getattr(learner, "net", None)
    if hasattr(net, "channels") and hasattr(net, "size"):
        shape: tuple[int, ...] = (net.channels, net.size, net.size)
    elif hasattr(net, "in_features"):
        shape = (net.in_features,)
    else:
        return None
    n_way: int = getattr(learner, "n_way", 5)
    noise = torch.Generator().manual_seed(0)
    weight = next(learner.parameters())
    x = torch.rand(n_way + 1, *shape, generator=noise).to(weight)
    y = torch.eye(n_way).to(weight)
    return Task(Examples(x[:-1], y), Examples(x[-1:], y[:1]))


def _answers(learner: Learner, task: Task) -> torch.Tensor:
    with torch.no_grad():
        return learner.adapt(task.support)(task.query.x)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
