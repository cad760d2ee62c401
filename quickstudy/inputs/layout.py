"""Folders of images: one folder per class, with or without a level of groups."""

from __future__ import annotations

from pathlib import Path

from quickstudy.errors import DataError

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_LAYOUT = f"the layout is CLASS/IMAGE or GROUP/CLASS/IMAGE, images ending in {', '.join(_SUFFIXES)}"


def find_classes(path: Path) -> dict[str, list[Path]]:
    """Return the image files of each class by its name, in a folder of class folders, which may be in groups.

    A class is named after its folder, or ``group/class``. Hidden files are ignored, and so are files whose suffix is
    not that of PNG, JPEG or WebP.

    Raises:
        DataError: The folder is missing or has another layout, or a class folder holds no image.

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
                raise DataError(f"class folder {str(folder)!r} holds no images; fill or remove it: {_LAYOUT}")
            classes[folder.relative_to(path).as_posix()] = images
    return classes


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


def is_image_name(name: str | Path) -> bool:
    """Return whether a name has the suffix of an image file.

    >>> is_image_name("cat.PNG"), is_image_name("a cat.")
    (True, False)
    """
    return Path(name).suffix.lower() in _SUFFIXES


def listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """Return the images and the folders in a folder, each sorted.

    Raises:
        DataError: The folder cannot be read.
    """
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"folder {str(folder)!r} cannot be read: {error.strerror}; {_LAYOUT}") from error
    images = [entry for entry in entries if is_image_name(entry) and entry.is_file()]
    return images, [entry for entry in entries if entry.is_dir()]
