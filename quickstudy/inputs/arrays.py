"""Arrays: inputs that are already tensors, such as features of another model."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, ClassVar, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.base import Inputs, Item, native
from quickstudy.inputs.frames import is_frame

_BLOCK = 1024  # rows that are read at once


@dataclass(frozen=True)
class Arrays(Inputs):
    """Arrays of one shape, used unchanged.

    Attributes:
        shape: Shape of one input.

    Raises:
        SettingError: A side is below 1.

    >>> Arrays((2,)).encode([Item("first", [1.0, 2.0])])
    tensor([[1., 2.]])
    """

    shape: tuple[int, ...] = ()

    noun: ClassVar[str] = "array"

    def __post_init__(self) -> None:
        if min(self.shape, default=1) < 1:
            raise SettingError(f"shape={self.shape}: every side is 1 or more")

    @property
    def recipe(self) -> str:
        """Description of how one input is made: the array is used unchanged."""
        return "The array as it is."

    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        """Yield the rows of a NumPy file (.npy), (n, *shape)."""
        if isinstance(source, bytes):
            name, blocks = "upload", iter([_read("upload", source)])
        else:
            name, blocks = str(source), blocks_of(Path(source), self.shape, _BLOCK)
        for k, x in enumerate(blocks):
            if x.shape[1:] != self.shape:
                raise DataError(f"{name!r} holds arrays of shape {x.shape[1:]}, but {self.shape} is needed; convert it")
            yield from (Item(f"{name} row {k * _BLOCK + i}", row) for i, row in enumerate(x, 1))

    @classmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        """Refuse: files of arrays have no labels."""
        raise DataError(
            f"{str(source)!r}: this model takes arrays, and files of arrays have no labels; adapt it from Python"
        )

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return the arrays, (n, *shape)."""
        rows = []
        for name, value in items:
            array = _read(name, value) if isinstance(value, bytes) else value
            try:
                row = torch.as_tensor(native(array))
            except (TypeError, ValueError, RuntimeError) as error:
                raise DataError(f"{name} is a {type(value).__name__}, not an array of numbers; convert it") from error
            if tuple(row.shape) != self.shape:
                raise DataError(f"{name} has shape {tuple(row.shape)}, but {self.shape} is needed; convert it")
            rows.append(row)
        return torch.stack(rows) if rows else torch.empty(0, *self.shape)

    def keep(self, item: Item) -> bytes:
        """Return the array as a NumPy file."""
        content = io.BytesIO()
        np.save(content, self.encode([item])[0].cpu().numpy(), allow_pickle=False)
        return content.getvalue()

    def no_list(self, thing: object) -> DataError:
        """Return the error about a single thing, or a data frame, that is given instead of a list."""
        if is_frame(thing):
            return DataError(f"a {type(thing).__name__} is given, but arrays are needed; give df.to_numpy()")
        return super().no_list(thing)


def blocks_of(path: Path, shape: tuple[int, ...], size: int) -> Iterator[np.ndarray]:
    """Yield the rows of a NumPy file (.npy) of arrays, (n, *shape), a number of rows at a time.

    Raises:
        DataError: The file cannot be read, or holds arrays of another shape.
    """
    header = header_of(path)
    if header.shape[1:] != shape:
        raise DataError(f"{str(path)!r} holds arrays of shape {header.shape[1:]}, but {shape} is needed; convert it")
    for first in range(0, header.shape[0], size):
        # Mapped again for each block, because pages that were read count as memory of the process.
        x = np.memmap(path, header.dtype, "r", header.start, header.shape, header.order)
        yield np.array(x[first : first + size], header.native)


def header_of(path: Path) -> Header:
    """Return the header of a NumPy file (.npy); its size is that of the array.

    Raises:
        DataError: The file cannot be read, or does not hold an array of numbers.
    """
    name = str(path)
    try:
        if path.exists() and not path.is_file():  # opening a pipe would block until another program writes to it
            raise DataError(f"{name!r} cannot be read: it is not a file; give a NumPy file (.npy)")
        with path.open("rb") as file:
            return _header(name, file, path.stat().st_size)
    except OSError as error:
        raise DataError(f"{name!r} cannot be read: {error.strerror}") from error


class Header(NamedTuple):
    """Header of a NumPy file: shape, order and number type of its array, and the byte where it starts."""

    shape: tuple[int, ...]
    order: Literal["C", "F"]
    dtype: np.dtype[Any]
    start: int

    @property
    def native(self) -> np.dtype[Any]:
        """Number type in the byte order of this machine."""
        return self.dtype.newbyteorder("=")


def _read(name: str, content: bytes) -> np.ndarray:
    """Return the array that the content of a NumPy file holds."""
    file = io.BytesIO(content)
    header = _header(name, file, len(content))
    x = np.frombuffer(bytearray(content), header.dtype, math.prod(header.shape), header.start)
    return x.reshape(header.shape, order=header.order).astype(header.native, copy=False)


def _header(name: str, file: BinaryIO, size: int) -> Header:
    """Return the header of a NumPy file; it is compared with the file's size before memory is allocated."""
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, by_columns, dtype = header(file)
        n, start = math.prod(shape), file.tell()
        whole = dtype.kind in "biuf" and min(shape, default=0) >= 0 and n * dtype.itemsize == size - start
    except Exception as error:  # the header is parsed as Python, so damage raises many kinds, even of the tokenizer
        raise DataError(f"{name!r} is not a NumPy file of numbers (.npy); convert it") from error
    if not whole or not shape:
        raise DataError(f"{name!r} does not hold one array of numbers of the size in its header; convert it")
    if dtype.kind == "f" and dtype.itemsize > 8:
        raise DataError(f"{name!r} holds numbers of type {dtype.name}, which torch lacks; convert them to float64")
    return Header(shape, "F" if by_columns else "C", dtype, start)
