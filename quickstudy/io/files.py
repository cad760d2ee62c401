"""Atomic writes, and safe reading of untrusted files."""

from __future__ import annotations

import json
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedRandom
from pathlib import Path
from typing import Any, BinaryIO

from quickstudy.errors import ModelError, SettingError, one_line

MAX_JSON = 10**6
"""Largest size of a JSON text that is read, in bytes."""
_JOURNAL = ".journal"
"""Folder of complete files that still have to replace those of the same names in the folder above."""


@contextmanager
def whole_file(path: Path) -> Iterator[BufferedRandom]:
    """Context with a temporary file to write, which replaces ``path`` when the block ends; else nothing changes.

    Each writer has its own temporary file beside ``path``. If there are several writers at once, the result is from the
    last to finish.

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
    """Context with a temporary folder to fill, which replaces ``folder`` when the block ends; else nothing changes.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     with whole_folder(Path(place, "kept")) as folder:
    ...         _ = (folder / "note").write_text("kept")
    ...     Path(place, "kept", "note").read_text()
    'kept'
    """
    partial = folder.with_name(f".{folder.name}")
    folder.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(partial, ignore_errors=True)  # left by a process that was killed
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


@contextmanager
def whole_files(folder: Path) -> Iterator[Path]:
    """Context with a temporary folder of files, which replace those of the same names in ``folder``: all, or none.

    Other files in ``folder`` stay. If the block fails, nothing changes. If the process is killed, the folder has its
    old files, or a journal of all new ones, which ``finish`` completes.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     with whole_files(Path(place, "model")) as folder:
    ...         _ = (folder / "note").write_text("kept")
    ...     Path(place, "model", "note").read_text()
    'kept'
    """
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    partial = folder / f".new-{uuid.uuid4().hex}"
    try:
        with named(folder):
            partial.mkdir(parents=True)
            yield partial
            sync(partial)
            finish(folder)
            partial.rename(folder / _JOURNAL)
            sync(folder)
            finish(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for each in missing:
            with suppress(OSError):  # a folder that is not empty stays
                each.rmdir()


def finish(folder: Path) -> None:
    """Complete the replacement of files that a killed process began, if there is one."""
    journal = folder / _JOURNAL
    if os.path.islink(journal) or not os.path.isdir(journal):
        return
    with suppress(FileNotFoundError):  # another process may complete it too
        for path in journal.iterdir():
            with suppress(FileNotFoundError):
                os.replace(path, folder / path.name)
        sync(folder)
        journal.rmdir()


def check_new(folder: Path) -> None:
    """Refuse a place for a new folder that holds something already.

    Raises:
        SettingError: There is a file, or a folder that is not empty.
    """
    if folder.exists() and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise SettingError(f"{str(folder)!r} exists already; choose another folder with --out")


@contextmanager
def named(path: Path) -> Iterator[None]:
    """Context that adds a path to disk errors without one; an error of a write does not name its file."""
    try:
        yield
    except OSError as error:
        error.filename = error.filename or str(path)
        raise


def replace(path: Path, content: bytes) -> None:
    """Write a file atomically."""
    with whole_file(path) as file:
        file.write(content)


def sync(folder: Path) -> None:
    """Sync the names in a folder to the disk."""
    if os.name == "nt":  # Windows cannot open a folder
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def plain_file(path: Path, most: int) -> Iterator[BinaryIO]:
    """Context with a file to read that is not a link, pipe or device, and has a limited size.

    Args:
        path: Path of the file.
        most: Largest size in bytes.

    Raises:
        ModelError: The file is not such a file, or cannot be read.
    """
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{path} is a link or not a regular file; put the file itself there")
        if about.st_size > most:
            raise ModelError(f"{path} has {about.st_size} bytes, but at most {most} are allowed; check the file")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error


def parse_json(path: Path, content: bytes) -> Any:
    """Parse the JSON content of a file, and refuse duplicate names in an object.

    Raises:
        ModelError: The content is not valid JSON, or has a duplicate name.
    """

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(result := dict(pairs)) < len(pairs):
            raise ValueError("a name occurs twice")
        return result

    try:
        return json.loads(content, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}") from error


def read_json(path: Path) -> Any:
    """Read the JSON of a regular file of at most ``MAX_JSON`` bytes.

    Raises:
        ModelError: The file is not such a file, or not valid JSON.
    """
    with plain_file(path, MAX_JSON) as file:
        return parse_json(path, file.read())
