"""mini-ImageNet: 100 classes of 600 images (Vinyals et al. 2016), in the split of Ravi and Larochelle 2017."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.cache import data_folder, prepared
from quickstudy.inputs.dataset import ClassDataset, encoded
from quickstudy.inputs.images import Images
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

_SPLITS = ("train", "val", "test")
_COLUMNS = ("filename", "label")
_VERSION = 1  # version of the prepared images; increase it when their preparation changes

_Classes = dict[str, list[Path]]


def mini_imagenet(root: Path | None = None, *, size: int = 84) -> Splits:
    """Return mini-ImageNet as three disjoint sets of classes: uint8 images (n, 3, size, size).

    It reads ``train.csv``, ``val.csv`` and ``test.csv`` (columns ``filename`` and ``label``), and the images that they
    name from the folder ``images``. Images are resized to a square by Pillow's LANCZOS filter, which changes
    proportions, as in the code of Finn et al. 2017. Unlike there, they are not stored as JPEG again. Classes are sorted
    by label, images are in the order of the rows. The result is saved in the cache for the next call. Nothing is
    downloaded, and no pickle is read, since a pickle is code.

    Args:
        root: Folder of the files; None is ``quickstudy.inputs.cache.data_folder() / "mini_imagenet"``.
        size: Height and width of the images, pixels.

    Raises:
        DataError: A file is missing or damaged, a row names a missing image, or a label or image is in two splits.
        SettingError: ``size`` is below 1.

    Source: Ravi and Larochelle 2017, openreview.net/forum?id=rJY0-Kcll.

    >>> mini_imagenet(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no mini-ImageNet in 'nowhere' (no train.csv, val.csv, test.csv, images/): put ...
    """
    images = Images(channels=3, size=size, ink=False)
    folder = data_folder() / "mini_imagenet" if root is None else Path(root)
    _check_there(folder)
    # All tables before any image: an error in the last table must not appear after minutes.
    splits = []
    seen_labels: dict[str, str] = {}
    seen_files: dict[str, str] = {}
    for split in _SPLITS:
        classes, rows = _read_table(folder, split, seen_files)
        for label, row in rows.items():
            if label in seen_labels:
                raise DataError(
                    f"{row}: label {label!r} is also in {seen_labels[label]}, but splits have disjoint classes; "
                    f"use the published tables"
                )
        seen_labels |= rows
        splits.append(classes)
    return Splits(*(prepared(_key(classes, size), partial(_read_pictures, classes, images)) for classes in splits))


def _check_there(folder: Path) -> None:
    needed = {f"{split}.csv": (folder / f"{split}.csv").is_file() for split in _SPLITS}
    needed["images/"] = (folder / "images").is_dir()
    missing = [name for name, there in needed.items() if not there]
    if not missing:
        return
    advice = "put train.csv, val.csv and test.csv (columns filename,label) and the folder images/ there"
    pickles = [folder] if folder.suffix == ".pkl" else sorted(folder.glob("*.pkl"))
    if pickles:
        raise DataError(f"{str(pickles[0])!r} is a pickle, which is code and is never read; instead {advice}")
    raise DataError(f"no mini-ImageNet in {str(folder)!r} (no {', '.join(missing)}): {advice}")


def _read_table(folder: Path, split: str, seen: dict[str, str]) -> tuple[_Classes, dict[str, str]]:
    """Return the images of each label, and the first row of each label; names of images are added to ``seen``."""
    path = folder / f"{split}.csv"
    classes: _Classes = {}
    rows: dict[str, str] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            absent = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
            if absent:
                raise DataError(f"{str(path)!r} row 1 has no column {absent[0]!r}; it needs filename,label")
            for line in reader:
                row = f"{str(path)!r} row {reader.line_num}"
                name, label = line["filename"], line["label"]
                if not name or not label:
                    raise DataError(f"{row} has no {'label' if name else 'filename'}; complete or remove it")
                if name in seen:
                    raise DataError(f"{row}: image {name!r} is also in {seen[name]}; remove one of the two rows")
                picture = folder / "images" / name
                outside = Path(name).is_absolute() or ".." in Path(name).parts
                if outside or not picture.is_file():
                    raise DataError(f"{row}: image {name!r} is not in {str(folder / 'images')!r}; put it there")
                seen[name] = row
                rows.setdefault(label, row)
                classes.setdefault(label, []).append(picture)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{str(path)!r} cannot be read as a table ({error}); replace it") from error
    if not classes:
        raise DataError(f"{str(path)!r} has no rows below its header; replace it")
    return classes, rows


def _read_pictures(classes: _Classes, images: Images) -> ClassDataset:
    data = encoded(images, [(Item(str(path), path), label) for label, paths in classes.items() for path in paths])
    return ClassDataset(data.x, data.y, data.names)


def _key(classes: _Classes, size: int) -> str:
    """Return a key for the prepared images of a split, of its rows and each image's name, size and time."""
    listing = [
        (label, str(file.absolute()), (stat := file.stat()).st_size, stat.st_mtime_ns)
        for label, files in classes.items()
        for file in files
    ]
    return f"mini_imagenet-{_VERSION}-{hashlib.sha256(repr((size, listing)).encode()).hexdigest()[:32]}"


@dataclass(frozen=True)
class MiniImageNet(ClassSource):
    """mini-ImageNet, as ``mini_imagenet`` reads it."""

    about: ClassVar[str] = "100 classes of photographs, 84x84 (--data-root)"
    kind: ClassVar[type[Inputs]] = Images
    colour: ClassVar[bool] = True

    data_root: Path | None = None

    def load(self) -> Loaded:
        """Read the pictures, or the cache."""
        return Loaded(mini_imagenet(self.data_root), Images(channels=3, size=84, ink=False))
