"""One's own images: a folder for each class."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from quickstudy.errors import DataError, NotEnoughClasses, SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import ImageFormat, read_image
from quickstudy.tasks.splits import Splits, split_classes

_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
_LAYOUT = f"the layout is CLASS/IMAGE or GROUP/CLASS/IMAGE, images ending in {', '.join(_SUFFIXES)}"
_SPLITS = (("train",), ("validation", "val"), ("test",))


def folders(
    path: Path, format: ImageFormat, sizes: tuple[float, float, float] = (0.6, 0.2, 0.2), seed: int = 0
) -> Splits:
    """A folder of images as three sets of classes that never meet.

    Sub-folders ``train``, ``validation`` (or ``val``) and ``test`` are the sets, where they are there; else the
    classes are shuffled and cut. Either way see ``read_folder`` for what lies below.

    Args:
        path: The folder.
        format: What every image is brought to.
        sizes: Fractions of the classes for train, validation and test, where ``path`` does not say; the counts are
            rounded so that they add up to all classes.
        seed: Of the shuffle.

    Raises:
        DataError: As ``read_folder``; only two of the three sub-folders, or a class in two of them.
        NotEnoughClasses: A fraction above 0 comes to no class.
        SettingError: Fractions that are negative or do not add up to 1.

    >>> folders(Path("nowhere"), ImageFormat(), sizes=(0.6, 0.2, 0.1))
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: sizes=(0.6, 0.2, 0.1): give three fractions of 0 or more that add up to 1
    """
    if len(sizes) != 3 or not min(sizes) >= 0 or not abs(sum(sizes) - 1) < 1e-6:
        raise SettingError(f"sizes={sizes}: give three fractions of 0 or more that add up to 1")
    there = {folder.name: folder for folder in _listing(Path(path))[1]}
    found = [[there[name] for name in names if name in there] for names in _SPLITS]
    if sum(map(bool, found)) >= 2:  # one alone may well be a class of that name
        return _read_splits(Path(path), found, format)
    data = read_folder(path, format)
    counts = np.diff(np.rint(np.cumsum([0, *sizes]) * data.n_classes).astype(int))
    for (name, *_), size, count in zip(_SPLITS, sizes, counts, strict=True):
        if size > 0 and count == 0:
            raise NotEnoughClasses(
                f"{str(path)!r} has {data.n_classes} classes, of which a fraction of {size} for {name} comes to none; "
                f"add classes or change the sizes"
            )
    return split_classes(data, counts.tolist(), seed)


def read_folder(path: Path, format: ImageFormat) -> ClassDataset:
    """All images of a folder of class folders, which may lie one level deeper, in groups.

    A class is named after its folder, or ``group/class``. Classes are sorted by name, images by file name. Hidden
    files, and files other than PNG, JPEG and WebP by suffix, are ignored.

    Args:
        path: The folder.
        format: What every image is brought to.

    Raises:
        DataError: The folder is absent or laid out in another way, a class folder holds no image, or an image cannot
            be read.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "cats").mkdir()
    ...     Image.new("L", (40, 30)).save(Path(name) / "cats" / "tom.png")
    ...     data = read_folder(Path(name), ImageFormat(size=28))
    >>> data.names, data.x.shape
    (('cats',), torch.Size([1, 1, 28, 28]))
    """
    return read_classes(find_classes(Path(path)), format)


def read_classes(files: Mapping[str, Sequence[Path]], format: ImageFormat) -> ClassDataset:
    """The images of each class, classes sorted by name.

    Raises:
        DataError: An image cannot be read.

    >>> read_classes({}, ImageFormat()).x.shape
    torch.Size([0, 1, 28, 28])
    """
    names = sorted(files)
    every = [(c, file) for c, name in enumerate(names) for file in files[name]]
    # Filled in place: a stack of a list would hold what may be a gigabyte twice.
    x = torch.empty(len(every), format.channels, format.size, format.size, dtype=torch.uint8)
    for row, (_, file) in enumerate(every):
        x[row] = torch.from_numpy(read_image(file, format))
    return ClassDataset(x, torch.tensor([c for c, _ in every], dtype=torch.int64), tuple(names))


def _read_splits(path: Path, found: list[list[Path]], format: ImageFormat) -> Splits:
    classes = []
    of: dict[str, Path] = {}
    for names, places in zip(_SPLITS, found, strict=True):
        if len(places) != 1:
            raise DataError(
                f"{str(path)!r} has {len(places) or 'no'} folders for {names[0]}, but has other splits; "
                f"give it one, named {' or '.join(names)}"
            )
        classes.append(find_classes(places[0]))
        for name in classes[-1]:
            if name in of:
                raise DataError(
                    f"class {name!r} is in {of[name].name} and in {places[0].name} of {str(path)!r}, but splits are of "
                    f"different classes; keep it in one"
                )
            of[name] = places[0]
    return Splits(*(read_classes(files, format) for files in classes))


def find_classes(path: Path) -> dict[str, list[Path]]:
    """The image files of each class by its name, as ``read_folder`` finds them.

    >>> find_classes(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: folder 'nowhere' cannot be read: ...
    """
    images, places = _listing(path)
    if images:
        raise DataError(f"{str(images[0])!r} lies in no class folder; {_LAYOUT}")
    if not places:
        raise DataError(f"{str(path)!r} holds no class folders; {_LAYOUT}")
    classes = {}
    for place in places:
        images, inner = _listing(place)
        if images and inner:
            raise DataError(f"{str(place)!r} holds both images and folders, so it is no class and no group; {_LAYOUT}")
        for folder in inner or [place]:
            images, _ = _listing(folder)
            if not images:
                raise DataError(f"class folder {str(folder)!r} holds no images; fill or remove it: {_LAYOUT}")
            classes[folder.relative_to(path).as_posix()] = images
    return classes


def image_files(folder: Path) -> list[Path]:
    """The images that lie in a folder itself, sorted.

    Raises:
        DataError: The folder cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as name:
    ...     image_files(Path(name))
    []
    """
    return _listing(Path(folder))[0]


def _listing(folder: Path) -> tuple[list[Path], list[Path]]:
    """The images and the folders in a folder, each sorted."""
    try:
        entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise DataError(f"folder {str(folder)!r} cannot be read: {error.strerror}; {_LAYOUT}") from error
    images = [entry for entry in entries if entry.suffix.lower() in _SUFFIXES and entry.is_file()]
    return images, [entry for entry in entries if entry.is_dir()]
