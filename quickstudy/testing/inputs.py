"""Laws that hold for every kind of input."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import as_float
from quickstudy.models.build import construct
from quickstudy.models.folder import describe_inputs

TOLERANCE = 1e-5
"""Largest difference of a row between batches, relative to the largest entry."""


def check_inputs(inputs: Inputs, items: Sequence[Item], bad: Sequence[Item] = ()) -> None:
    """Check that a kind of input keeps its laws.

    Rows do not depend on the batch, and encoding twice gives the same. The result of ``keep`` can be encoded instead of
    its item: ``keep`` does not change it, and its nearest neighbour is its own item. Every part can be left out. The
    arguments are the same after saving and loading a model's config. An error about a bad item is one line that names
    the item.

    Args:
        inputs: Object of a class in ``quickstudy.INPUTS``.
        items: Three or more items, all different.
        bad: Items that cannot be encoded.

    Raises:
        AssertionError: A law is broken; the message says which and by how much.

    >>> from quickstudy.inputs.arrays import Arrays
    >>> check_inputs(Arrays((2,)), Arrays((2,)).items([[0.0, 1.0], [2.0, 3.0], [9.0, 9.0]]), [Item("odd", [1.0])])
    """
    assert len(items) >= 3, "give at least three items"
    x = inputs.encode(items)
    assert tuple(x.shape) == (len(items), *inputs.shape), f"encode gives {tuple(x.shape)}, shape is {inputs.shape}"
    assert bool(torch.isfinite(as_float(x)).all()), "encode gives NaN or infinity"
    _same(inputs.encode(items), x, "encoding twice differs")
    _same(torch.cat([inputs.encode([item]) for item in items]), x, "a row depends on the batch")
    _same(inputs.encode(list(items)[::-1]).flip(0), x, "a row depends on the order of the batch")
    assert inputs.is_encoded(x), "is_encoded does not recognise what encode returns"
    _check_kept(inputs, items, x)
    for item in items:
        assert inputs.caption(item).strip(), f"the caption of {item.name} is empty"
        picture = inputs.picture(item)
        assert picture is None or picture.startswith(b"\x89PNG"), f"the picture of {item.name} is not a PNG file"
        parts = list(inputs.parts(item))
        without = inputs.encode([rest for _, rest in parts]) if parts else x[:0]
        assert len(without) == len(parts), f"not every part of {item.name} can be left out"
    _check_round_trip(inputs)
    for item in bad:
        _check_refused(inputs, item)


def _check_kept(inputs: Inputs, items: Sequence[Item], x: Tensor) -> None:
    copies = [Item(item.name, inputs.keep(item)) for item in items]
    for item in copies:
        assert isinstance(item.value, bytes), f"keep gives a {type(item.value).__name__}, not bytes"
        assert inputs.keep(item) == item.value, f"what is kept of {item.name} is not kept unchanged"
    again = inputs.encode(copies)
    nearest = torch.cdist(as_float(again).flatten(1).double(), as_float(x).flatten(1).double()).argmin(1).tolist()
    for i, (item, closest) in enumerate(zip(items, nearest, strict=True)):
        assert closest == i, f"what is kept of {item.name} is encoded more like {items[closest].name}"


def _check_round_trip(inputs: Inputs) -> None:
    described = json.loads(json.dumps(describe_inputs(inputs)))
    assert construct(INPUTS[described.pop("name")], described) == inputs, (
        f"{inputs} is not built again from its arguments; keep each as an attribute"
    )


def _check_refused(inputs: Inputs, item: Item) -> None:
    try:
        inputs.encode([item])
    except DataError as error:
        message = str(error)
        assert item.name[:40] in message, f"the error does not name {item.name}: {message}"
        assert "\n" not in message, f"the error of {item.name} has several lines"
    else:
        raise AssertionError(f"{item.name} is encoded, but it is bad")


def _same(a: Tensor, b: Tensor, message: str) -> None:
    off = float((as_float(a) - as_float(b)).abs().max() / as_float(b).abs().max().clamp(min=1e-12))
    assert off <= TOLERANCE, f"{message}, by {off:.1e} relative"
