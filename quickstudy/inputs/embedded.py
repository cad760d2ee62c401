"""Features of labelled items by a frozen encoder, which are computed once and then read from the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from quickstudy.errors import DataError
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Item
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.frozen import Encoded
from quickstudy.io.console import shown

_AT_ONCE = 128  # items from one step of the progress bar to the next
_VERSION = 1  # version of the features; increase it when their computation changes


def embedded(inputs: Encoded, labelled: Sequence[tuple[Item, str]]) -> ClassDataset:
    """Return labelled items as features, classes sorted by name.

    They are saved in the cache under a hash of the items' contents and of the encoder's weights. A file that was
    renamed or copied is not embedded again, and one that was changed is. A progress bar is drawn with the time left.

    Args:
        inputs: Photographs or sentences by an encoder. If the checksum of its weights is not known, nothing is cached.
        labelled: Items with their labels.

    Raises:
        DataError: An item cannot be read.
        ModelError: The weights of the encoder on this machine differ from those that the inputs name.
    """
    labelled = sorted(labelled, key=lambda pair: pair[1])
    items = tuple(item for item, _ in labelled)
    labels = [label for _, label in labelled]

    def prepare() -> ClassDataset:
        batches = [items[start : start + _AT_ONCE] for start in range(0, len(items), _AT_ONCE)]
        rows = [inputs.encode(batch) for batch in (shown(batches, "embedding") if len(batches) > 1 else batches)]
        return ClassDataset.from_labels(torch.cat(rows) if rows else torch.empty(0, *inputs.shape), labels)

    if inputs.sha256 is None or not items:
        return replace(prepare(), items=items)
    sha = hashlib.sha256(json.dumps([INPUTS.name_of(type(inputs)), inputs.sha256, inputs.recipe]).encode())
    for item, label in labelled:
        sha.update(json.dumps([label, hashlib.sha256(_content(item)).hexdigest()]).encode())
    return replace(prepared(f"embedded-{_VERSION}-{sha.hexdigest()[:32]}", prepare), items=items)


def _content(item: Item) -> bytes:
    """Return the content of an item: of a file, a text or an array."""
    value = item.value
    try:
        if isinstance(value, Path):
            return value.read_bytes()
    except OSError as error:
        raise DataError(f"{item.name!r} cannot be read: {error.strerror or error}") from error
    if isinstance(value, str):
        return value.encode("utf-8", "surrogatepass")
    if isinstance(value, bytes):
        return value
    array = np.asarray(value)
    return f"{array.dtype} {array.shape} ".encode() + array.tobytes()
