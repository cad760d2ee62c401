"""Arrays in a file that may be larger than memory, read row by row."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Iterator, Sequence
from io import BufferedReader
from itertools import zip_longest
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from quickstudy.errors import DataError, ModelError
from quickstudy.inputs.arrays import header_of
from quickstudy.io.files import read_json, replace

_BLOCK = 2**26
"""Bytes of a block, which has a checksum."""


class StoredArray:
    """Labelled inputs in a NumPy file, read when a task needs them.

    It is a map-style dataset for ``Episodes.from_dataset``; with ``cache=False``, memory does not grow with the file.

    Args:
        path: NumPy file (.npy) of inputs, (n, *input), such as uint8 images (n, channels, height, width).
        labels: Label of each input, n.

    Attributes:
        targets: The labels.

    Raises:
        DataError: The file cannot be read, is stored by columns, holds numbers that torch lacks, or has another number
            of inputs than labels.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     np.save(f"{folder}/x.npy", np.arange(8.0).reshape(4, 2))
    ...     data = StoredArray(f"{folder}/x.npy", ["a", "a", "b", "b"])
    ...     data[3]
    (tensor([6., 7.], dtype=torch.float64), 'b')
    """

    def __init__(self, path: Path | str, labels: Sequence[Any]) -> None:
        self.path = Path(path)
        self.targets: list[Any] = labels.tolist() if hasattr(labels, "tolist") else list(labels)
        self._header = header_of(self.path)
        shape = self._header.shape
        if self._header.order == "F":
            raise DataError(f"{str(path)!r} is stored by columns; save it by numpy.ascontiguousarray")
        if shape[0] != len(self.targets):
            raise DataError(
                f"{str(path)!r} holds {shape[0]} inputs, but there are {len(self.targets)} labels; give one each"
            )
        self._row = math.prod(shape[1:]) * self._header.dtype.itemsize
        self._file = self.path.open("rb")

    def __reduce__(self) -> tuple[type[Self], tuple[Path, list[Any]]]:
        """Return how a copy, or another process, opens the file again."""
        return type(self), (self.path, self.targets)

    def __len__(self) -> int:
        """Return the number of inputs."""
        return len(self.targets)

    def __getitem__(self, index: int, /) -> tuple[Tensor, Any]:
        """Return an input, (*input), and its label; threads may read at the same time."""
        if not 0 <= index < len(self):
            raise IndexError(index)
        content = bytearray(self._row)
        if self._fill(content, self._header.start + index * self._row) != self._row:
            raise DataError(f"{str(self.path)!r} became shorter while it was read; copy it again")
        row = np.frombuffer(content, self._header.dtype).astype(self._header.native, copy=False)
        return torch.from_numpy(row.reshape(self._header.shape[1:])), self.targets[index]

    def _fill(self, content: bytearray, start: int) -> int:
        """Read bytes of the file from ``start``, and return their number."""
        if hasattr(os, "preadv"):
            return os.preadv(self._file.fileno(), [content], start)
        with _opened(self.path) as file:  # Windows: threads and processes would share the place in an open file
            file.seek(start)
            return file.readinto(content)

    def seal(self) -> Path:
        """Write a checksum of each block of 64 MiB to a file beside the array, and return its name.

        Raises:
            DataError: The file cannot be read, or its array is no longer of the shape and type that it was opened with.
        """
        if header_of(self.path) != self._header:
            raise DataError(f"{str(self.path)!r} holds another array than when it was opened; open it again")
        sums = self.path.with_name(self.path.name + ".sha256.json")
        replace(sums, json.dumps({"block": _BLOCK, "sha256": list(self._sums())}).encode())
        return sums

    def check(self) -> list[int]:
        """Return the numbers of the blocks, from 0, that differ from their checksums, or are missing, or too many.

        Raises:
            DataError: The file cannot be read.
            ModelError: There are no checksums, or their file is damaged.
        """
        path = self.path.with_name(self.path.name + ".sha256.json")
        about = read_json(path)
        if not isinstance(about, dict) or about.get("block") != _BLOCK or not isinstance(about.get("sha256"), list):
            raise ModelError(f"{path} does not hold the checksums of an array; write them by seal() of a good copy")
        return [i for i, (a, b) in enumerate(zip_longest(about["sha256"], self._sums())) if a != b]

    def _sums(self) -> Iterator[str]:
        with _opened(self.path) as file:
            while content := file.read(_BLOCK):
                yield hashlib.sha256(content).hexdigest()


def _opened(path: Path) -> BufferedReader:
    try:
        return path.open("rb")
    except OSError as error:
        raise DataError(f"{str(path)!r} cannot be read: {error.strerror}") from error
