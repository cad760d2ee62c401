"""Examples of a classifier, each with an item."""

from __future__ import annotations

from dataclasses import replace

from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset


def encoded(inputs: Inputs, examples: ClassDataset, first: int) -> ClassDataset:
    """Return examples with items; arrays of the encoded shape that are images, but not encoded, are encoded."""
    numbered = named(examples, first)
    if examples.items or not inputs.has_shape(examples.x) or inputs.is_encoded(examples.x):
        return numbered
    items = tuple(
        item._replace(value=one.value) for item, one in zip(numbered.items, inputs.items(examples.x), strict=True)
    )
    return replace(numbered, x=inputs.encode(items), items=items)


def named(examples: ClassDataset, first: int) -> ClassDataset:
    """Return examples with items, numbered from ``first`` where they have none."""
    if examples.items:
        return examples
    return replace(examples, items=tuple(Item(f"example {i}", x) for i, x in enumerate(examples.x, first)))
