"""Folders of images: one folder per class, with or without a level of groups."""

from __future__ import annotations

import os
from pathlib import Path

from quickstudy.errors import DataError, listed
from quickstudy.inputs.heic import INSTALL, has_heic

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".tif", ".tiff")
_HEIC_SUFFIXES = (".heic", ".heif")
_LAYOUT = f"the layout is CLASS/IMAGE or GROUP/CLASS/IMAGE, images ending in {', '.join(_SUFFIXES + _HEIC_SUFFIXES)}"
_SPLITS = ("dev", "eval", "holdout", "test", "testing", "train", "training", "val", "valid", "validation")


def find_classes(path: Path) -> dict[str, list[Path]]:
    """Return the image files of each class by its name, in a folder of class folders, which may be in groups.

    A class is named after its folder, or ``group/class``. Hidden files are ignored, and so are files without the suffix
    of an image, which ``left_out`` reports.

    Raises:
        DataError: The folder is missing or has another layout, a class folder holds no image, or the groups are
            splits (train, test) of the same classes.

    >>> find_classes(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: folder 'nowhere' cannot be read: ...
    """
    images, places = listing(path)
    if images:
        raise DataError(f"{str(images[0])!r} is not in a class folder; {_LAYOUT}")
    if not places:
        raise DataError(f"{str(path)!r} holds no class folders; {_LAYOUT}")
    classes = {}
    for place in places:
        images, inner = listing(place)
        if images and inner:
            raise DataError(f"{str(place)!r} holds images and folders, so it is neither a class nor a group; {_LAYOUT}")
        for folder in inner or [place]:
            images, _ = listing(folder)
            if not images:
                rest = f"; {rest}" if (rest := left_out(folder)) else ""
                raise DataError(f"class folder {str(folder)!r} holds no images; fill or remove it: {_LAYOUT}{rest}")
            classes[folder.relative_to(path).as_posix()] = images
    refuse_splits(path, places)
    return classes


def refuse_splits(path: Path, groups: list[Path]) -> None:
    """Refuse groups that are splits (train, test) of the same classes, because test images would be learned.

    Raises:
        DataError: Two groups that are named as splits hold a class of the same name.
    """
    groups = [group for group in groups if group.name.lower() in _SPLITS]
    inside = [{folder.name for folder in listing(group)[1]} for group in groups]
    shared = sorted(name for name in set().union(*inside) if sum(name in names for names in inside) > 1)
    if shared:
        first = next((group for group in groups if group.name.lower().startswith("train")), groups[0])
        raise DataError(
            f"{str(path)!r} holds the splits {', '.join(group.name for group in groups)} of the same classes "
            f"({listed(shared)}); give one of them, such as {str(first)!r}"
        )


def left_out(folder: Path, deep: bool = True) -> str | None:
    """Return one line about the files of a folder that are not read, with counts and names by kind; None if all are.

    Args:
        folder: Folder of images, or of class folders.
        deep: Whether the folders inside are read too; if not, they are left out themselves.
    """
    kinds: dict[str, list[str]] = {}
    for _, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not is_hidden(name))
        if not deep and folders:
            kinds["folders"] = list(folders)
            folders.clear()
        for name in sorted(names):
            if not is_hidden(name) and not is_image_name(name):
                kinds.setdefault(Path(name).suffix.lower() or "without suffix", []).append(name)
    if not kinds:
        return None
    install = f"; for HEIC, {INSTALL}" if any(suffix in kinds for suffix in _HEIC_SUFFIXES) else ""
    each = "; ".join(f"{len(names)} {kind} ({listed(names)})" for kind, names in sorted(kinds.items()))
    return f"{str(folder)!r}: left out, not images that can be read: {each}{install}"


def image_files(folder: Path) -> list[Path]:
    """Return the images directly in a folder, sorted.

    Raises:
        DataError: The folder cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     image_files(Path(name))
    []
    """
    return listing(Path(folder))[0]


def is_hidden(name: str) -> bool:
    """Return whether a file or folder is not the user's own: hidden, or what macOS puts into archives.

    >>> is_hidden(".DS_Store"), is_hidden("__MACOSX"), is_hidden("cats")
    (True, True, False)
    """
    return name.startswith(".") or name == "__MACOSX"


def is_image_name(name: str | Path) -> bool:
    """Return whether a name has the suffix of an image file that can be read; HEIC needs pillow-heif.

    >>> is_image_name("cat.PNG"), is_image_name("a cat.")
    (True, False)
    """
    suffix = Path(name).suffix.lower()
    return suffix in _SUFFIXES or (suffix in _HEIC_SUFFIXES and has_heic())


def listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images and the folders in a folder, each sorted.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not is_hidden(entry.name))
    except OSError as error:
        raise DataError(f"folder {str(folder)!r} cannot be read: {error.strerror}; {_LAYOUT}") from error
    images = [entry for entry in entries if is_image_name(entry) and entry.is_file()]
    return images, [entry for entry in entries if entry.is_dir()]
