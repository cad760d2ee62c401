"""A classifier as a folder of data: what is written, and what is loaded."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from quickstudy.classify.confidence import Confidence
from quickstudy.classify.examples import named
from quickstudy.errors import ModelError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.io.tensors import joined_bytes, joined_texts, split_bytes, split_texts
from quickstudy.learners import Learner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import input_shape

_SUPPORT, _EXAMPLES = "support.safetensors", "examples.safetensors"


def save(folder: Path, learner: Learner, inputs: Inputs, data: ClassDataset, confidence: Confidence | None) -> None:
    """Write a learner, inputs, examples and their calibration; if that fails, the folder stays as it was."""
    names, name_ends = joined_texts([item.name for item in data.items])
    copies, copy_ends = joined_bytes([inputs.keep(item) for item in data.items])
    examples = {"names": names, "name_ends": name_ends, "kept": copies, "kept_ends": copy_ends}
    ModelFolder(folder).write(
        learner,
        inputs,
        {_SUPPORT: {"x": data.x, "y": data.y}, _EXAMPLES: examples},
        labels=data.names,
        confidence=confidence and vars(confidence),
    )


def load(model: ModelFolder) -> tuple[Learner, Inputs, ClassDataset, Confidence | None]:
    """Return what was saved, the arguments of ``Classifier``.

    Raises:
        ModelError: The folder holds no classifier, or a file in it is damaged.
        DataError: The examples do not fit the labels or the inputs.
    """
    if model.labels is None:
        raise ModelError(f"{model.place!r} is a learner without labels; make a classifier by `quickstudy adapt`")
    learner = model.learner
    shape = input_shape(learner)
    x = model.tensors(_SUPPORT, {"x": (None, shape and (-1, *shape)), "y": (torch.int64, (-1,))})
    data = ClassDataset(x["x"], x["y"], model.labels, _items(model, len(x["y"])))
    inputs = model.inputs or Arrays(tuple(data.x.shape[1:]))
    return learner, inputs, named(data, 1), model.entry("confidence", Confidence)


def _items(model: ModelFolder, n: int) -> tuple[Item, ...]:
    """Return the items of a saved classifier's examples; empty if they were not saved."""
    if not os.path.lexists(model.path / _EXAMPLES):
        return ()
    bytes_, ends = (torch.uint8, (-1,)), (torch.int64, (n,))
    parts = model.tensors(_EXAMPLES, {"names": bytes_, "name_ends": ends, "kept": bytes_, "kept_ends": ends})
    try:
        names = split_texts(parts["names"], parts["name_ends"])
        copies = split_bytes(parts["kept"], parts["kept_ends"])
    except ModelError as error:
        raise ModelError(f"{model.path / _EXAMPLES} is damaged: {error}") from error
    return tuple(map(Item, names, copies))
