"""What people bring: items, and the inputs that make tensors of them and show them again."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
from torch import Tensor

from quickstudy.errors import DataError


class Item(NamedTuple):
    """One thing that a person brings, not yet decoded.

    Attributes:
        name: What people call it: "new1.png", the sentence itself, "stones.csv row 3".
        value: A path, bytes, a Pillow image, a string, a mapping or an array.
    """

    name: str
    value: Any


class Inputs(ABC):
    """How what people bring becomes what a net takes, and how people see it again. Arguments are attributes.

    Attributes:
        noun: Word for one of them in messages, and its key in JSON.
        part, part_plural: Words for a part of one (see ``parts``).
        nets: Nets that may follow, the default first.
        spatial: Whether they are images, which may be turned and distorted.
        model: Name of the model that learns them where no run is given; None for the nearest class mean of what
            ``encode`` returns.
        shape: Shape of one encoded input.
    """

    noun: ClassVar[str]
    part: ClassVar[str] = "part"
    part_plural: ClassVar[str] = "parts"
    nets: ClassVar[tuple[str, ...]] = ("mlp", "identity")
    spatial: ClassVar[bool] = False
    model: ClassVar[str | None] = None

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded input."""

    @property
    @abstractmethod
    def recipe(self) -> str:
        """How one input is made, in words, for programs that do not use this package."""

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Return whether a file or folder of labelled examples holds inputs of this kind."""
        return False

    @classmethod
    def fitted(cls, items: Sequence[Item]) -> Self:
        """Return the inputs for some examples: a table measures its columns, others do not look at them.

        Raises:
            DataError: The examples cannot be read.
        """
        return cls()

    @abstractmethod
    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        """Yield the items of a file, a folder, a sentence or an upload.

        Raises:
            DataError: There are none, or they cannot be read.
        """

    @classmethod
    @abstractmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        """Return the items of a source with their labels.

        Raises:
            DataError: The source cannot be read, or an item has no label.
        """

    @abstractmethod
    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return what a net takes, (n, *shape); each row depends on its own item alone.

        Raises:
            DataError: An item cannot be read; the message names it.
        """

    @abstractmethod
    def keep(self, item: Item) -> bytes:
        """Return a small copy of an item, which ``encode`` takes as a value in its place."""

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield each part of an item by name, with the item without that part: words, columns, patches."""
        return iter(())

    def picture(self, item: Item) -> bytes | None:
        """Return what people see of an item as a PNG file; None where ``caption`` says it in words."""
        return None

    def caption(self, item: Item) -> str:
        """Return what people read of an item."""
        return item.name

    def items(self, things: Any) -> list[Item]:
        """Return what Python brings as items: a list of whatever ``open`` takes, of values, or an array of them.

        Raises:
            DataError: There are none, or one thing is given where a list of them is needed.
        """
        if (
            isinstance(things, str | bytes | Path | Item | Mapping)
            or not hasattr(things, "__len__")
            or getattr(things, "ndim", 1) == 0
        ):
            raise DataError(f"one {type(things).__name__} is given, but a list of {self.noun}s is needed; write [X]")
        found: list[Item] = []
        for number, thing in enumerate(things, 1):
            if isinstance(thing, Item):
                found.append(thing)
            elif isinstance(thing, str | Path):
                found += self.open(thing)
            else:
                found.append(Item(f"{self.noun} {number}", thing))
        if not found:
            raise DataError(f"the list holds no {self.noun}s; give at least one")
        return found

    def is_encoded(self, x: Any) -> bool:
        """Return whether something is an array of encoded inputs, (n, *shape), already."""
        return isinstance(x, np.ndarray | Tensor) and str(x.dtype) != "object" and tuple(x.shape[1:]) == self.shape
