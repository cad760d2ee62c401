"""Streams of many inputs: files, folders, patterns and arrays, in parts of bounded size."""

from __future__ import annotations

import glob
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple, TextIO

import numpy as np

from quickstudy.errors import DataError
from quickstudy.inputs.arrays import blocks_of
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.batches import Skip, grouped
from quickstudy.inputs.row_files import check_encoding
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
    names: dict[str, str] = {}
    linked = {name: _place(name) != os.path.abspath(name) for name in _glob(pattern)}
    for name in sorted(linked, key=lambda name: (linked[name], name)):  # of two names of a file, that without a link
        names.setdefault(_place(name), name)
    content = {place: _content(place) for place in names if os.path.isdir(place)}
    folders = {place for place, inside in content.items() if not inside <= names.keys()}
    return sorted(
        name
        for place, name in names.items()
        if (place in folders if place in content else os.path.dirname(place) not in folders)
    )


def _glob(pattern: str) -> Iterator[str]:
    """Yield the names that a pattern matches; ** follows no links, which may lead around in circles."""
    stars = _STARS.search(pattern)
    if stars is None:
        yield from glob.glob(pattern)
        return
    before, rest = pattern[: stars.start()], pattern[stars.end() :]
    for top in glob.glob(before) if before else [os.curdir]:
        for folder, inside, _ in os.walk(top):
            inside[:] = [name for name in inside if not name.startswith(".")]
            here = "" if folder == os.curdir else os.path.join(folder, "")
            if rest or stars[1]:
                yield from _glob(glob.escape(here) + rest) if rest else [folder]
            else:
                yield from glob.glob(glob.escape(here) + "*")


_STARS = re.compile(rf"(?:^|(?<=[/{re.escape(os.sep)}]))\*\*(?:([/{re.escape(os.sep)}])|$)")
"""** as a whole part of a pattern."""


def _place(name: str) -> str:
    """Return where a name leads: links of folders are followed, those of files are other files."""
    if os.path.isdir(name):
        return os.path.realpath(name)
    folder, last = os.path.split(name)
    return os.path.join(os.path.realpath(folder), last)


def _content(folder: str) -> set[str]:
    """Return the places of what is in a folder, except hidden ones."""
    return {_place(os.path.join(folder, name)) for name in os.listdir(folder) if not name.startswith(".")}


def stamp(sources: Iterable[str]) -> str:
    """Return a checksum of how sources are read in parts: names, and sizes and times of files except hidden ones."""
    digest = hashlib.sha256(f"{PART}\n".encode())
    for source in sources:
        paths = sorted(Path(source).iterdir()) if os.path.isdir(source) else []
        for path in [Path(source), *(path for path in paths if not path.name.startswith("."))]:
            about = (path.stat().st_size, path.stat().st_mtime_ns) if os.path.isfile(path) else ()
            digest.update(f"{path}\0{about}\n".encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def lines_of(file: TextIO, encoding: str | None = None) -> list[str]:
    r"""Return the lines of a stream such as standard input, each one input, without a byte order mark.

    A byte that is not text in the encoding becomes a surrogate, so that its line alone is refused.

    Args:
        file: The stream.
        encoding: Its encoding; that of the stream if None.

    Raises:
        SettingError: The encoding is unknown.

    >>> lines_of(io.StringIO("\ufeffone\ntwo\n"))
    ['one', 'two']
    """
    if isinstance(file, io.TextIOWrapper):
        check_encoding(encoding or "utf-8")
        file.reconfigure(encoding=encoding, errors="surrogateescape")
    return [line.rstrip("\n").removeprefix("\ufeff" * (number == 0)) for number, line in enumerate(file)]


def parts_of(
    inputs: Inputs, sources: Sequence[str], columns: Columns, text: bool, skip: Skip | None, size: int | None = None
) -> Iterator[Part]:
    """Yield the inputs of sources in parts: first all that are no .npy files, then those of each such file.

    Args:
        inputs: Inputs that open the sources.
        sources: Files, folders, sentences, or .npy files of encoded inputs.
        columns: Columns and encoding of files of rows.
        text: Whether every source is a sentence.
        skip: Function that is called with the error of a source that cannot be opened; None raises it.
        size: Number of inputs of a part, ``PART`` if None.

    Raises:
        DataError: There are no sources, or one cannot be opened and there is no ``skip``.
    """
    size = size or PART
    if not sources:
        raise inputs.no_items()
    if text:
        yield from map(Part, grouped(sentences_of(inputs, sources), size))
        return
    arrays = [source for source in sources if source.endswith(".npy")]
    others = [source for source in sources if not source.endswith(".npy")]
    yield from map(Part, grouped(_items(inputs, others, columns, skip), size))
    for source in arrays:
        try:
            for i, x in enumerate(blocks_of(Path(source), inputs.shape, size)):
                yield Part(x, [f"{source} row {i * size + j}" for j in range(1, len(x) + 1)])
        except DataError as error:
            if skip is None:
                raise
            skip(error)


def _items(inputs: Inputs, sources: Iterable[str], columns: Columns, skip: Skip | None) -> Iterator[Item]:
    for number, source in enumerate(sources, 1):
        try:
            for thing in opened(inputs, [source], columns):
                yield from inputs.items_of(thing, number)
        except DataError as error:
            if skip is None:
                raise
            skip(error)
