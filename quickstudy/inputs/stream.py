"""Streams of many inputs: files, folders, patterns and arrays, in parts of bounded size."""

from __future__ import annotations

import glob
import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from quickstudy.errors import DataError
from quickstudy.inputs.arrays import blocks_of
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.batches import Skip, grouped
from quickstudy.inputs.rows import Columns, opened
from quickstudy.inputs.sentences import sentences_of

PART = 1024
"""Number of inputs of a part."""


class Part(NamedTuple):
    """Inputs that are answered together.

    Attributes:
        things: Items, or encoded inputs, (n, *input).
        names: Names of encoded inputs; None for items, which have their own.
    """

    things: list[Item] | np.ndarray
    names: list[str] | None = None


def expanded(sources: Iterable[Path | str]) -> list[str]:
    """Return sources with the files that patterns such as "new/*.png" match, in the order of their names.

    A folder that matches stands for its files, unless all of them match too.

    Raises:
        DataError: A pattern matches no file.

    >>> expanded(["what is this?"])
    ['what is this?']
    """
    result: list[str] = []
    for source in map(str, sources):
        is_pattern = glob.has_magic(source) and not os.path.lexists(source) and not source.endswith("?")
        literal = source.replace("[", "[[]")
        if is_pattern and (matches := _matches(source)):
            result += matches
        elif not is_pattern or (" " in source.strip() and not _matches(literal)):  # a sentence
            result.append(source)
        elif literal != source:
            raise DataError(f"{source!r} matches no file; brackets are a pattern, so write {literal!r} for a name")
        else:
            raise DataError(f"{source!r} matches no file; give another pattern")
    return result


def _matches(pattern: str) -> list[str]:
    """Return the files that a pattern matches, each once, and the folders whose content it does not match too."""
    names = {os.path.normpath(name): name for name in sorted(glob.glob(pattern, recursive=True))}
    content = {name: _content(name) for name in names if os.path.isdir(name)}
    folders = {name for name, inside in content.items() if not inside <= names.keys()}
    return [
        given
        for name, given in names.items()
        if (name in folders if name in content else os.path.dirname(name) not in folders)
    ]


def _content(folder: str) -> set[str]:
    """Return the names in a folder, except hidden ones."""
    return {os.path.normpath(os.path.join(folder, name)) for name in os.listdir(folder) if not name.startswith(".")}


def stamp(sources: Iterable[str]) -> str:
    """Return a checksum of how sources are read in parts: names, and sizes and times of files except hidden ones."""
    digest = hashlib.sha256(f"{PART}\n".encode())
    for source in sources:
        paths = sorted(Path(source).iterdir()) if os.path.isdir(source) else []
        for path in [Path(source), *(path for path in paths if not path.name.startswith("."))]:
            about = (path.stat().st_size, path.stat().st_mtime_ns) if os.path.isfile(path) else ()
            digest.update(f"{path}\0{about}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def parts_of(inputs: Inputs, sources: Sequence[str], columns: Columns, text: bool, skip: Skip | None) -> Iterator[Part]:
    """Yield the inputs of sources in parts.

    Args:
        inputs: Inputs that open the sources.
        sources: Files, folders, sentences, or .npy files of encoded inputs.
        columns: Columns and encoding of files of rows.
        text: Whether every source is a sentence.
        skip: Function that is called with the error of a source that cannot be opened; None raises it.

    Raises:
        DataError: A source cannot be opened, and there is no ``skip``.
    """
    if text:
        yield from map(Part, grouped(sentences_of(inputs, sources), PART))
        return
    arrays = [source for source in sources if source.endswith(".npy")]
    others = [source for source in sources if not source.endswith(".npy")]
    yield from map(Part, grouped(_items(inputs, others, columns, skip), PART))
    for source in arrays:
        try:
            for i, x in enumerate(blocks_of(Path(source), inputs.shape, PART)):
                yield Part(x, [f"{source} row {i * PART + j}" for j in range(1, len(x) + 1)])
        except DataError as error:
            if skip is None:
                raise
            skip(error)


def _items(inputs: Inputs, sources: Iterable[str], columns: Columns, skip: Skip | None) -> Iterator[Item]:
    for source in sources:
        try:
            for thing in opened(inputs, [source], columns):
                yield from [thing] if isinstance(thing, Item) else inputs.open(thing)
        except DataError as error:
            if skip is None:
                raise
            skip(error)
