"""Classifiers kept as folders: several readers, one writer, and earlier versions of each."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import shutil
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import TypeVar

from filelock import FileLock, Timeout

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import ModelError, SettingError
from quickstudy.io.files import finish, sync, whole_files, whole_folder
from quickstudy.models.folder import ModelFolder
from quickstudy.models.seal import FILES, read_seal
from quickstudy.serving.archive import packed, unpack
from quickstudy.serving.limits import Limits, Refused

T = TypeVar("T")
NAME = r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$"
"""Names of classifiers; none leads to another folder."""
_ASIDE = ".serve"
"""Folder of locks, earlier versions and deleted classifiers, beside the classifiers."""
_TRIES = 50


class Held:
    """A classifier in memory.

    Attributes:
        classifier: The classifier.
        version: Checksum of its files.
    """

    def __init__(self, classifier: Classifier, version: str) -> None:
        self.classifier, self.version = classifier, version
        self.derived: dict[str, object] = {}

    @cached_property
    def ids(self) -> list[str]:
        """Identifier of each example: a checksum of its label, name and copy, so it stays when others change."""
        data, result = self.classifier.data, []
        seen: dict[str, int] = {}
        for row, item in enumerate(data.items):
            value = item.value if isinstance(item.value, bytes) else data.x[row].numpy().tobytes()
            text = "\0".join((data.names[int(data.y[row])], item.name)).encode()
            digest = hashlib.sha256(text + b"\0" + value).hexdigest()[:16]
            seen[digest] = seen.get(digest, 0) + 1
            result.append(digest if seen[digest] == 1 else f"{digest}-{seen[digest]}")
        return result


class Store:
    """Folder of classifiers. Every process that uses it sees the changes of the others.

    A reader compares the seal before and after it reads, and reads again if a writer came between. A writer holds a
    lock, keeps the old files as an earlier version, and replaces all files together.

    Args:
        root: Folder with one folder per classifier; it is created if missing.
        only: Name of the only classifier to serve; None for all.
        limits: Limits of sizes.
    """

    def __init__(self, root: Path, only: str | None = None, limits: Limits | None = None) -> None:
        self.root, self.only, self.limits = root.absolute(), only, limits or Limits()
        self.root.mkdir(parents=True, exist_ok=True)
        self._memory: OrderedDict[str, Held] = OrderedDict()
        self._guard = threading.Lock()

    def names(self) -> list[str]:
        """Return the names of all classifiers."""
        if self.only is not None:
            return [self.only]
        with suppress(FileNotFoundError):
            return sorted(each.name for each in self.root.iterdir() if re.match(NAME, each.name) and _exists(each))
        return []

    def load(self, name: str) -> Held:
        """Return the classifier of a name as it is on the disk now; from memory if it has not changed.

        Raises:
            Refused: There is no such classifier.
            ModelError: It is damaged.
        """
        folder = self._folder(name)
        with self._guard:
            held = self._memory.get(name)
        if held is not None and held.version == _version(folder):
            return self._remember(name, held)
        classifier, version = self._steady(name, Classifier.load)
        return self._remember(name, Held(classifier, version))

    def create(self, name: str | None, classifier: Classifier) -> tuple[str, Held]:
        """Save a new classifier, under a random name if none is given.

        Raises:
            Refused: There is a classifier of this name.
        """
        if name is None:
            name = f"c-{secrets.token_hex(6)}"
        if self.only is not None:
            raise Refused(409, f"this server serves {self.only!r} alone; start one with a folder of classifiers")
        with self._writing(name) as folder:
            if _exists(folder):
                raise Refused(409, f"there is a classifier {name!r} already; choose another name")
            shutil.rmtree(self._aside(name) / "undo", ignore_errors=True)
            shutil.rmtree(self._aside(name) / "deleted", ignore_errors=True)
            return name, self._save(name, folder, classifier)

    def change(self, name: str, change: Callable[[Held], Classifier]) -> Held:
        """Replace a classifier by a function of it; the old one can be restored by ``undo``.

        Raises:
            Refused: There is no such classifier.
            QuickstudyError: The function refuses; nothing has changed then.
        """
        self._folder(name)
        with self._writing(name) as folder:
            classifier = change(self.load(name))
            self._keep(name, folder)
            return self._save(name, folder, classifier)

    def undo(self, name: str) -> Held:
        """Restore the version before the last change, or a deleted classifier.

        Raises:
            Refused: There is no earlier version.
        """
        with self._writing(name) as folder:
            if not _exists(folder):
                deleted = self._aside(name) / "deleted"
                if not _exists(deleted):
                    raise self._missing(name)
                shutil.rmtree(folder, ignore_errors=True)
                os.rename(deleted, folder)
                sync(self.root)
                return self.load(name)
            now = _version(folder)
            for version in reversed(self._versions(name)):
                if _version(version) != now:  # equal ones were kept by a writer that was killed
                    with whole_files(folder) as partial:
                        _link(version, partial)
                    for each in set(FILES) - read_seal(folder).keys():
                        (folder / each).unlink(missing_ok=True)
                    self._clean(folder)
                    shutil.rmtree(version, ignore_errors=True)
                    return self.load(name)
                shutil.rmtree(version, ignore_errors=True)
            raise Refused(409, f"{name!r} has no earlier version")

    def n_undo(self, name: str) -> int:
        """Return the number of earlier versions."""
        return len(self._versions(name))

    def delete(self, name: str) -> None:
        """Delete a classifier; ``undo`` restores it.

        Raises:
            Refused: There is no such classifier, or it is the only one that is served.
        """
        self._folder(name)
        if self.only is not None:
            raise Refused(409, f"this server serves {name!r} alone; stop it to delete the folder")
        with self._writing(name) as folder:
            self._folder(name)
            deleted = self._aside(name) / "deleted"
            shutil.rmtree(deleted, ignore_errors=True)
            os.rename(folder, deleted)
            sync(self.root)
        with self._guard:
            self._memory.pop(name, None)

    def archive(self, name: str) -> bytes:
        """Return a classifier as a .zip file."""
        return self._steady(name, lambda folder: packed(name, folder.path))[0]

    def open(self, name: str, content: bytes) -> Held:
        """Save the classifier in a .zip file under a name; one that is there is replaced, which ``undo`` takes back.

        Raises:
            Refused: The file is too large.
            ModelError: The file is damaged, or holds no classifier.
        """
        if self.only not in (None, name):
            raise Refused(409, f"this server serves {self.only!r} alone; start one with a folder of classifiers")
        incoming = self.root / _ASIDE / f"incoming-{secrets.token_hex(8)}"
        incoming.mkdir(parents=True)
        try:
            classifier = unpack(content, incoming, self.limits)
            self.check(classifier)
            with self._writing(name) as folder:
                if _exists(folder):
                    self._keep(name, folder)
                return self._save(name, folder, classifier)
        finally:
            shutil.rmtree(incoming, ignore_errors=True)

    def check(self, classifier: Classifier) -> None:
        """Refuse a classifier that is too large.

        Raises:
            Refused: It has too many classes or examples.
        """
        counts = {"classes": len(classifier.labels), "examples": len(classifier.items)}
        for what, n in counts.items():
            if n > (most := getattr(self.limits, what)):
                raise Refused(413, f"{n} {what}, at most {most} are allowed in a classifier; give fewer")

    def _save(self, name: str, folder: Path, classifier: Classifier) -> Held:
        self.check(classifier)
        classifier.save(folder)
        self._clean(folder)
        return self._remember(name, Held(classifier, _version(folder)))

    def _remember(self, name: str, held: Held) -> Held:
        with self._guard:
            self._memory[name] = held
            self._memory.move_to_end(name)
            while len(self._memory) > self.limits.in_memory:
                self._memory.popitem(last=False)
        return held

    def _folder(self, name: str) -> Path:
        if not re.match(NAME, name) or self.only not in (None, name) or not _exists(self.root / name):
            raise self._missing(name)
        return self.root / name

    def _missing(self, name: str) -> Refused:
        return Refused(404, f"no classifier {name!r}; GET /v1/classifiers lists them")

    def _aside(self, name: str) -> Path:
        return self.root / _ASIDE / name

    @contextmanager
    def _writing(self, name: str) -> Iterator[Path]:
        """Context of the only writer of a classifier; yields its folder."""
        if not re.match(NAME, name) or self.only not in (None, name):
            raise self._missing(name)
        self._aside(name).mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(self._aside(name) / "lock", timeout=self.limits.lock):
                yield self.root / name
        except Timeout:
            raise Refused(409, f"{name!r} is being changed by another request; try again") from None

    def _versions(self, name: str) -> list[Path]:
        folder = self._aside(name) / "undo"
        return sorted(each for each in folder.iterdir() if each.name.isdigit()) if folder.is_dir() else []

    def _keep(self, name: str, folder: Path) -> None:
        """Keep the files of a classifier as an earlier version, by links where the disk has them."""
        versions = self._versions(name)
        if versions and _version(versions[-1]) == _version(folder):
            return
        number = int(versions[-1].name) + 1 if versions else 1
        with whole_folder(self._aside(name) / "undo" / f"{number:08d}") as partial:
            _link(folder, partial)
        for old in versions[: max(0, len(versions) + 1 - self.limits.versions)]:
            shutil.rmtree(old, ignore_errors=True)

    def _clean(self, folder: Path) -> None:
        """Remove what writers that were killed left."""
        for each in folder.glob(".new-*"):
            shutil.rmtree(each, ignore_errors=True)

    def _steady(self, name: str, read: Callable[[ModelFolder], T]) -> tuple[T, str]:
        """Return the result of a function of a folder that no writer changed meanwhile, and its version."""
        for _ in range(_TRIES):
            folder = self._folder(name)
            try:
                model = ModelFolder(folder)  # completes the write of a killed process
                before = _version(folder)
                result = read(model)
            except (ModelError, OSError):
                if not os.path.lexists(folder / ".journal") and _version(folder) == before:
                    raise
            else:
                if not os.path.lexists(folder / ".journal") and _version(folder) == before:
                    return result, before
            threading.Event().wait(0.02)
        raise Refused(409, f"{name!r} changes all the time; try again")


def place_of(folder: Path | str) -> tuple[Path, str | None]:
    """Return the folder of classifiers, and the name of the only one to serve if the folder is itself a classifier.

    Raises:
        SettingError: The folder is a file, a model without labels, or a classifier whose name is not one for addresses.
    """
    folder = Path(folder).absolute()
    if folder.exists() and not folder.is_dir():
        raise SettingError(f"{str(folder)!r} is a file; give a classifier, or a folder for classifiers")
    if not (folder / "config.json").exists():
        return folder, None
    if ModelFolder(folder).labels is None:
        raise SettingError(f"{str(folder)!r} is a learner without labels; make a classifier by `quickstudy adapt`")
    if not re.match(NAME, folder.name):
        raise SettingError(f"{folder.name!r} cannot be part of an address; rename it to letters, digits, - and _")
    return folder.parent, folder.name


def _exists(folder: Path) -> bool:
    return os.path.isfile(folder / "config.json") or os.path.isdir(folder / ".journal")


def _version(folder: Path) -> str:
    """Return a checksum of a folder's seal, which holds those of all files; empty if it is missing."""
    try:
        return hashlib.sha256((folder / "seal.json").read_bytes()).hexdigest()[:16]
    except OSError:
        return ""


def _link(source: Path, target: Path) -> None:
    finish(source)
    for each in source.iterdir():
        if each.is_file() and not each.name.startswith("."):
            try:
                os.link(each, target / each.name)
            except OSError:
                shutil.copy2(each, target / each.name)
