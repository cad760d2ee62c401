"""Seal of a model's folder: the SHA-256 of its files, and answers to a probe."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor

from quickstudy.errors import ModelError, QuickstudyError
from quickstudy.io.files import read_json, replace
from quickstudy.learners import Learner
from quickstudy.learners.draws import seeded
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.nets import input_shape
from quickstudy.tasks.task import Examples

FILES = (
    "config.json", "model.safetensors", "labels.safetensors", "support.safetensors", "examples.safetensors",
    "probe.safetensors",
)  # fmt: skip
"""Files of a model that a seal may name; the first two are always there."""


TOLERANCE = 1e-4
"""Largest difference of answers, relative to the largest: other machines and versions of torch round differently."""


def write_seal(folder: Path, sums: dict[str, str]) -> None:
    """Write the SHA-256 of each file, by name."""
    replace(folder / "seal.json", json.dumps(sums, indent=2).encode())


def read_seal(folder: Path) -> dict[str, str]:
    """Load the SHA-256 of each file from the seal, by name.

    Raises:
        ModelError: The seal is missing or invalid.
    """
    path = folder / "seal.json"
    try:
        sums = read_json(path)
    except ModelError as error:
        raise ModelError(f"{error}; train or adapt again") from error
    if not isinstance(sums, dict) or not set(FILES[:2]) <= sums.keys() <= set(FILES):
        raise ModelError(f"{path} is not the seal of a model; train or adapt again")
    return sums


def changed(folder: Path, sums: dict[str, str]) -> Iterator[str]:
    """Yield one line for each file whose SHA-256 differs from the seal.

    Raises:
        ModelError: A file is missing.
    """
    for name, expected in sums.items():
        try:
            actual = hashlib.sha256((folder / name).read_bytes()).hexdigest()
        except OSError as error:
            raise ModelError(f"{error.filename} cannot be read: {error.strerror}; train or adapt again") from error
        if actual != expected:
            yield f"{folder / name} is not as it was written: its SHA-256 differs"


def probe_of(learner: Learner) -> dict[str, Tensor]:
    """Return a task of noise with its answer; empty if no answer is possible.

    It has one example per class and one query. Where queries are answered together, it has two, close to the first two
    examples. Noise between classes is pushed far to one of them by the last bit of a product, in which machines differ.
    """
    shape, weight = input_shape(learner), next(learner.parameters(), torch.empty(0))
    if shape is None:
        return {}
    n_way: int = getattr(learner, "n_way", 5)
    noise = torch.Generator().manual_seed(0)
    n_query = 2 if isinstance(learner, TransductiveLearner) else 1
    x = torch.rand(n_way + n_query, *shape, generator=noise).to(weight)
    if n_query > 1:
        x[n_way:] = 0.1 * x[n_way:] + 0.9 * x[:n_query]
    probe = {"support.x": x[:n_way], "support.y": torch.eye(n_way).to(weight), "query.x": x[n_way:]}
    try:
        return {**probe, "answers": answers(learner, probe)}
    except QuickstudyError:  # a net without recorded population statistics cannot answer
        return {}


def answers(learner: Learner, probe: dict[str, Tensor]) -> Tensor:
    """Return the answers of a learner to the queries of a probe; random numbers are drawn from a fixed seed."""
    with torch.no_grad(), seeded(0):
        return learner.adapt(Examples(probe["support.x"], probe["support.y"]))(probe["query.x"])


def difference(learner: Learner, probe: dict[str, Tensor]) -> float:
    """Return the largest difference of a learner's answers from those of a probe, relative to the largest of these."""
    now, before = (each.double() for each in (answers(learner, probe), probe["answers"]))
    same = (now == before) | (now.isnan() & before.isnan())
    return float((now - before).abs().masked_fill(same, 0).max() / before.abs().nan_to_num(1, 1).max().clamp(min=1e-30))
