"""Files that are there whole or not at all, and files of strangers, read with care."""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedRandom
from pathlib import Path
from typing import Any, BinaryIO

from quickstudy.errors import ModelError, SettingError, one_line

MAX_JSON = 10**6
"""Bytes of a JSON text that is read."""


@contextmanager
def whole_file(path: Path) -> Iterator[BufferedRandom]:
    """A file to write, which takes its place at ``path`` when the block ends and leaves nothing when the block fails.

    Each writer has a temporary file of its own beside ``path``: of several at once, the last to end stays.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     with whole_file(Path(folder, "deep", "note")) as file:
    ...         _ = file.write(b"kept")
    ...     Path(folder, "deep", "note").read_bytes()
    b'kept'
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}-{uuid.uuid4().hex}")
    try:
        with named(path):
            with temporary.open("x+b") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
            sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def whole_folder(folder: Path) -> Iterator[Path]:
    """A folder to fill, which takes its place when the block ends and leaves nothing when the block fails.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     with whole_folder(Path(place, "kept")) as folder:
    ...         _ = (folder / "note").write_text("kept")
    ...     Path(place, "kept", "note").read_text()
    'kept'
    """
    partial = folder.with_name(f".{folder.name}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)  # of one that was killed
    try:
        with named(folder):
            partial.mkdir()
            yield partial
            sync(partial)
            shutil.rmtree(folder, ignore_errors=True)
            partial.rename(folder)
            sync(folder.parent)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def check_new(folder: Path) -> None:
    """Refuse a place for a new folder that holds something already.

    Raises:
        SettingError: There is a file, or a folder that is not empty.
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise SettingError(f"{str(folder)!r} exists already; choose another folder with --out")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Give a path to errors of the disk that have none: a write's do not say what was written."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or as it was."""
    with whole_file(path) as file:
        file.write(content)


def sync(folder: Path) -> None:
    """Make the names in a folder last."""
    if os.name == "nt":  # which cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def plain_file(path: Path, most: int) -> Iterator[BinaryIO]:
    """A file to read that is no link, no pipe and no device, and has at most so many bytes.

    Raises:
        ModelError: It is not so, or cannot be read.
    """
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{path} is a link or no file at all; put the file itself there")
        if about.st_size > most:
            raise ModelError(f"{path} has {about.st_size} bytes, {most} at most; it is not what its name says")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error


def parse_json(path: Path, content: bytes) -> Any:
    """JSON of a file, in which no name stands twice.

    Raises:
        ModelError: It is none.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise ValueError("a name stands there twice")
        return found

    try:
        return json.loads(content, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}") from error


def read_json(path: Path) -> Any:
    """JSON of a plain file of at most ``MAX_JSON`` bytes.

    Raises:
        ModelError: It is none.
    """
    with plain_file(path, MAX_JSON) as file:
        return parse_json(path, file.read())
