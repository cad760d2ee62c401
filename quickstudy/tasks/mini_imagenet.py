"""mini-ImageNet: 100 classes of 600 images (Vinyals et al. 2016), in the split of Ravi and Larochelle 2017."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.cache import data_folder
from quickstudy.inputs.images import Images
from quickstudy.tasks.pictures import read_pictures, read_table
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

_SPLITS = ("train", "val", "test")
_COLUMNS = ("filename", "label")


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
    tables = []
    seen_labels: dict[str, str] = {}
    seen_files: dict[str, str] = {}
    for split in _SPLITS:
        classes, rows = read_table(folder / f"{split}.csv", folder / "images", _COLUMNS, seen_files)
        for label, row in rows.items():
            if label in seen_labels:
                raise DataError(
                    f"{row}: label {label!r} is also in {seen_labels[label]}, but splits have disjoint classes; "
                    f"use the published tables"
                )
        seen_labels |= rows
        tables.append(classes)
    return Splits(*(read_pictures("mini_imagenet", classes, images) for classes in tables))


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
