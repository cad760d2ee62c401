"""Items, such as an image file or a sentence, and the inputs that encode and display them."""

from __future__ import annotations

import os
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn

from quickstudy.errors import DataError, SettingError, listed
from quickstudy.inputs.frames import is_frame, rows_of


class Item(NamedTuple):
    """One example or query, not yet decoded.

    Attributes:
        name: Name for messages and results: "new1.png", the sentence itself, "stones.csv row 3".
        value: A path, bytes, a Pillow image, a string, a mapping or an array. Or the ``DataError`` for which it cannot
            be read, such as a damaged row: ``encode`` raises it.

    >>> Item("stones.csv row 3", {"weight": 2.5, "colour": "grey"}).name
    'stones.csv row 3'
    """

    name: str
    value: Any


class Seen(NamedTuple):
    """An input as a net sees it, before a frozen encoder embeds it.

    Attributes:
        x: The input, (1, *input); of a picture, its pixels from 0 to 1, (1, channels, height, width).
        ground: The input without content, of the same shape: empty paper, or the mean colour of a photograph.
        encode: Differentiable function from such inputs, (n, *input), to encoded inputs, (n, *shape).
    """

    x: Tensor
    ground: Tensor
    encode: Callable[[Tensor], Tensor]


class Inputs(ABC):
    """Base class of a kind of input: encodes items as tensors for a net, and displays them. Arguments are attributes.

    Attributes:
        noun: Word for one item in messages, and its key in JSON.
        part, part_plural: Words for a part of an item (see ``parts``).
        nets: Nets that take these inputs, the default first.
        spatial: Whether the inputs are images, which may be turned and distorted.
        frozen: Whether a frozen encoder embeds the inputs.
        model: Name of the model that learns the inputs if no run is given; None for a plain ``head``.
        head: Name of the learner that learns what ``encode`` returns, if there is no model.
        copies_within: Largest distance between the thumbnails of copies.
        shape: Shape of one encoded input.
    """

    noun: ClassVar[str]
    part: ClassVar[str] = "part"
    part_plural: ClassVar[str] = "parts"
    nets: ClassVar[tuple[str, ...]] = ("mlp", "identity")
    spatial: ClassVar[bool] = False
    frozen: ClassVar[bool] = False
    model: ClassVar[str | None] = None
    head: ClassVar[str] = "prototypical"
    copies_within: ClassVar[float] = 0.0

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded input."""

    @property
    @abstractmethod
    def recipe(self) -> str:
        """Description of how one input is made, for programs that do not use this package."""

    @property
    def words(self) -> str:
        """Words for these inputs in messages, such as "photographs"."""
        return f"{self.noun}s"

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Return whether a file or folder of labelled examples holds inputs of this kind."""
        return False

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value from Python, such as a file name or a row, is one input of this kind."""
        return False

    @classmethod
    def fitted(cls, items: Sequence[Item]) -> Self:
        """Return the inputs for some examples: a table measures its columns, other kinds ignore the examples.

        Raises:
            DataError: The examples cannot be read.
        """
        return cls()

    def fits(self, items: Sequence[Item]) -> bool | None:
        """Return whether these inputs were fitted to these examples; None for kinds that ignore the examples."""
        return None

    def refitted(self, items: Sequence[Item]) -> Self:
        """Return the inputs fitted to other examples; the same inputs for kinds that ignore the examples."""
        return self

    def without(self, items: Sequence[Item], turns: Iterable[Sequence[int]]) -> Iterator[Tensor]:
        """Yield all examples for each turn, (n, *shape), encoded by inputs that are fitted without the turn's rows."""
        x = self.encode(items)
        for _ in turns:
            yield x

    @classmethod
    def encoded_by(cls, encoder: str, *, download: bool = False) -> Self:
        """Return the inputs for a frozen encoder.

        Args:
            encoder: Name of the encoder.
            download: Whether an encoder that is not on this machine is downloaded.

        Raises:
            SettingError: The encoder is not there, or these inputs have no encoder.
        """
        raise SettingError(f"{cls.noun}s have no encoder to choose; leave --encoder out")

    @abstractmethod
    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        """Yield the items of a file, a folder, a sentence or an upload.

        Raises:
            DataError: The source holds no items, or they cannot be read.
        """

    @classmethod
    @abstractmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        """Return the items of a source with their labels.

        Raises:
            DataError: The source cannot be read, or an item has no label.
        """

    @classmethod
    def left_out(cls, source: Path) -> str | None:
        """Return one line about the files of a source that ``labelled`` leaves out; None if there are none."""
        return None

    @abstractmethod
    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return items as a tensor for a net, (n, *shape); each row depends only on its own item.

        Raises:
            DataError: An item cannot be read; the message names it.
        """

    def seen(self, item: Item) -> Seen:
        """Return an item as the net sees it.

        Raises:
            DataError: The item cannot be read.
        """
        x = self.encode([item])
        return Seen(x, torch.zeros_like(x), lambda x: x)

    def module(self) -> nn.Module | None:
        """Return ``encode`` as a module from one picture, RGB, (height, width, 3) uint8, to (1, *shape), or None.

        Its attribute ``limits`` says in words which parts of the encoding the module leaves out.
        """
        return None

    def thumbnails(self, items: Sequence[Item]) -> np.ndarray | None:
        """Return vectors of length 1 by which copies are recognised, (n, d); None if embeddings are to be compared.

        Two items with a distance of at most ``copies_within`` are copies, also resized or compressed again.
        """
        return None

    def blank(self, x: Tensor) -> Tensor:
        """Return which encoded inputs (n, *shape) show nothing, such as a blank page, (n,) bool."""
        return torch.zeros(len(x), dtype=torch.bool)

    def warn_of_blank(self, x: Tensor, names: Sequence[str]) -> None:
        """Warn of encoded inputs (n, *shape) that show nothing, by their names."""
        if blank := [name for name, empty in zip(names, self.blank(x).tolist(), strict=True) if empty]:
            warnings.warn(
                f"{listed(blank)}: blank or of one colour, which shows no class; replace or remove", stacklevel=3
            )

    def unknown(self, items: Sequence[Item]) -> str | None:
        """Return one line about values that no example has, such as mistyped categories; None if there are none."""
        return None

    @abstractmethod
    def keep(self, item: Item) -> bytes:
        """Return a small copy of an item for the folder of a classifier; ``encode`` accepts it as an item's value."""

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield the name of each part (a word, a column, a patch) and the item without that part."""
        return iter(())

    def picture(self, item: Item) -> bytes | None:
        """Return an item as a PNG file for display; None if ``caption`` describes it completely."""
        return None

    def caption(self, item: Item) -> str:
        """Return an item as text for display."""
        return item.name

    def items(
        self, things: Any, skip: Callable[[DataError], object] | None = None, *, singly: bool = False
    ) -> list[Item]:
        """Convert a list or array to items. Each element is an item, a value, or a source that ``open`` takes.

        Args:
            things: List or array; or a data frame, for inputs that are rows.
            skip: Function that is called with the error of each source that cannot be opened. The source is then left
                out. If None, the first such source raises its error.
            singly: Whether each element is exactly one item (see ``item_of``).

        Raises:
            DataError: The list is empty, or a single element or a data frame is given instead of a list.
        """
        if is_frame(things):
            if not self.takes({}):
                raise self.no_list(things)
            things = rows_of(things)
        if (
            isinstance(things, str | bytes | Path | Item | Mapping)
            or not hasattr(things, "__len__")
            or getattr(things, "ndim", 1) == 0
        ):
            raise self.no_list(things)
        items: list[Item] = []
        for number, thing in enumerate(things, 1):
            try:
                items += [self.item_of(thing, number)] if singly else self.items_of(thing, number)
            except DataError as error:
                if skip is None:
                    raise
                skip(error)
        if not len(things):
            raise self.no_items()
        return items

    def items_of(self, thing: Any, number: int) -> Iterator[Item]:
        """Yield the items of an item, a value, or a source that ``open`` takes; its number names a value.

        Raises:
            DataError: The source cannot be opened.
        """
        if isinstance(thing, Item):
            yield thing
        elif isinstance(thing, str | Path) and str(thing).strip():
            yield from self.open(thing)
        else:
            yield Item(f"{self.noun} {number}", thing)  # ``encode`` refuses an empty string by this name

    def item_of(self, thing: Any, number: int) -> Item:
        """Return the one item of an item, a value, or a source; its number names a value.

        Raises:
            DataError: The source is a folder, holds several items, or cannot be opened.
        """
        if isinstance(thing, str | Path) and os.path.isdir(thing):
            raise DataError(f"{str(thing)!r} is a folder, but each entry is one {self.noun}; give its files")
        items = list(self.items_of(thing, number))
        if len(items) != 1:
            raise DataError(
                f"{str(thing)!r} holds {len(items)} {self.noun}s, but each entry is one {self.noun}; give them singly"
            )
        return items[0]

    def no_items(self) -> DataError:
        """Return the error about an empty list."""
        return DataError(f"the list holds no {self.noun}s; give at least one")

    def no_list(self, thing: object) -> DataError:
        """Return the error about a single thing, or a data frame, that is given instead of a list."""
        if is_frame(thing):
            return DataError(
                f"a {type(thing).__name__} is given, but a list of {self.noun}s is needed; give one column, such as "
                f'df["{self.noun}"]'
            )
        return DataError(f"one {type(thing).__name__} is given, but a list of {self.noun}s is needed; write [X]")

    def has_shape(self, x: Any) -> bool:
        """Return whether an object is an array of the shape of encoded inputs, (n, *shape)."""
        return isinstance(x, np.ndarray | Tensor) and str(x.dtype) != "object" and tuple(x.shape[1:]) == self.shape

    def are_encoded(self, x: Tensor) -> Tensor:
        """Return which arrays of that shape (n, *shape) are encoded already, (n,) bool; others may be raw images."""
        return torch.ones(len(x), dtype=torch.bool)

    def is_encoded(self, x: Any) -> bool:
        """Return whether an object is already an array of encoded inputs, (n, *shape)."""
        return self.has_shape(x) and bool(self.are_encoded(torch.as_tensor(native(x))).all())


def native(x: Any) -> Any:
    """Return an array as torch takes it: writable, own byte order, positive strides, at most 64 bits; else ``x``.

    >>> native(np.array([1.0], ">f4")).dtype == np.float32
    True
    """
    if not isinstance(x, np.ndarray) or x.dtype.kind not in "iuf":
        return x
    dtype = np.dtype(float) if x.dtype.itemsize > 8 else x.dtype.newbyteorder("=")
    fits = dtype == x.dtype and min(x.strides, default=0) >= 0 and x.flags.writeable
    return x if fits else np.array(x, dtype, order="C")
