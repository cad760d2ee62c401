"""What a model folder was when it was written: the hashes of its files, and what it answered then."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from quickstudy.errors import ModelError
from quickstudy.io.files import read_json, replace
from quickstudy.io.tensors import pack, unpack
from quickstudy.learners import Learner
from quickstudy.models.build import load
from quickstudy.nets import input_shape
from quickstudy.tasks.task import Examples

FILES = ("config.json", "model.safetensors", "support.safetensors", "probe.safetensors")

TOLERANCE = 1e-4
"""Relative to the largest answer: other machines and versions of torch round otherwise."""


def seal(folder: Path) -> None:
    """Write down the answers of a saved learner to a task of noise, and the hashes of its files."""
    probe = _probe(load(folder))
    if probe:
        replace(folder / "probe.safetensors", pack(probe))
    sums = {name: _sha256(folder / name) for name in FILES if (folder / name).exists()}
    replace(folder / "seal.json", json.dumps(sums, indent=2).encode())


def broken(folder: Path) -> Iterator[str]:
    """What is not as it was sealed, a line each.

    Raises:
        ModelError: There is no seal, or the model cannot be loaded at all.
    """
    try:
        sums = read_json(folder / "seal.json")
        if not isinstance(sums, dict) or not set(FILES[:2]) <= sums.keys() <= set(FILES):
            raise ModelError(f"{folder / 'seal.json'} does not seal a model; train or adapt again")
        for name in sums:
            if _sha256(folder / name) != sums[name]:
                yield f"{folder / name} is not as it was written: its SHA-256 differs"
    except OSError as error:
        raise ModelError(f"{error.filename} cannot be read: {error.strerror}; train or adapt again") from error
    learner = load(folder)
    if "probe.safetensors" not in sums or input_shape(learner) is None:
        return
    expected = {name: (tensor.dtype, tensor.shape) for name, tensor in _probe(learner).items()}
    probe = unpack(folder / "probe.safetensors", expected)
    found = _answers(learner, probe)
    off = float((found - probe["answers"]).abs().max() / probe["answers"].abs().max())
    if not off <= TOLERANCE:
        yield f"{folder} answers its stored inputs otherwise than when it was written, by {off:.1e} relative"


def _probe(learner: Learner) -> dict[str, Tensor]:
    """A task of noise, one example a class and one query, and the answer; nothing for a net of unknown input."""
    shape = input_shape(learner)
    if shape is None:
        return {}
    n_way: int = getattr(learner, "n_way", 5)
    noise = torch.Generator().manual_seed(0)
    weight = next(learner.parameters())
    x = torch.rand(n_way + 1, *shape, generator=noise).to(weight)
    probe = {"support.x": x[:-1], "support.y": torch.eye(n_way).to(weight), "query.x": x[-1:]}
    return {**probe, "answers": _answers(learner, probe)}


def _answers(learner: Learner, probe: dict[str, Tensor]) -> Tensor:
    with torch.no_grad():
        return learner.adapt(Examples(probe["support.x"], probe["support.y"]))(probe["query.x"])


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
