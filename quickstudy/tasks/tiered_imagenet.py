"""tiered-ImageNet: 608 classes of ImageNet whose 34 categories never meet across sets (Ren et al. 2018)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.cache import data_folder
from quickstudy.inputs.images import Images
from quickstudy.inputs.layout import image_files
from quickstudy.tasks.pictures import Classes, read_pictures
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

_FOLDERS = {"train": "train", "validation": "val", "test": "test"}


def categories() -> dict[str, dict[str, str]]:
    """Return the published classes of each set, as a text of WordNet numbers for each category.

    >>> [sum(len(classes.split()) for classes in each.values()) for each in categories().values()]
    [351, 97, 160]
    """
    result: dict[str, dict[str, str]] = json.loads(Path(__file__).with_suffix(".json").read_bytes())
    return result


def tiered_imagenet(root: Path | None = None, *, size: int = 84) -> Splits:
    """Return tiered-ImageNet as three sets of 351, 97 and 160 classes: uint8 images (n, 3, size, size).

    It reads class folders named by WordNet numbers: those of ImageNet's training part, in ``root`` or ``root/train``,
    or tiered-ImageNet's own ``train``, ``val`` and ``test``. Which classes belong to which set is the published list,
    wherever a folder lies; other classes are left out. Images are resized to a square by Pillow's LANCZOS filter. The
    result is saved in the cache for the next call.

    The whole set has 779,165 images, which need 16 GB of memory at the usual size.

    Args:
        root: Folder of the class folders; None is ``quickstudy.inputs.cache.data_folder() / "tiered_imagenet"``.
        size: Height and width of the images, pixels.

    Raises:
        DataError: The data or a class is missing, or an image cannot be read.
        SettingError: ``size`` is below 1.

    Source: Ren et al. 2018, arXiv:1803.00676.

    >>> tiered_imagenet(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no class folder 'n01530575' in 'nowhere': ...
    """
    images = Images(channels=3, size=size, ink=False)
    folder = data_folder() / "tiered_imagenet" if root is None else Path(root)
    # All folders before any image: a missing class must not appear after hours.
    sets = [
        _classes(folder, inside, " ".join(categories()[name].values()).split()) for name, inside in _FOLDERS.items()
    ]
    return Splits(*(read_pictures("tiered_imagenet", classes, images) for classes in sets))


def _classes(folder: Path, inside: str, names: list[str]) -> Classes:
    """Return the images of the classes of one set, all from one of the folders where they may lie."""
    # ImageNet's own folder val holds other images of the same classes, so train comes first.
    places = (folder / "train", folder / inside)
    place = next((p for p in places if any((p / name).is_dir() for name in names)), folder)
    if absent := [name for name in names if not (place / name).is_dir()]:
        raise DataError(
            f"no class folder {absent[0]!r} in {str(place)!r}: put the folders of ImageNet's training part there, "
            f"n01440764 and so on, or tiered-ImageNet's train, val and test"
        )
    classes = {name: image_files(place / name) for name in names}
    if empty := [name for name, files in classes.items() if not files]:
        raise DataError(f"class folder {str(place / empty[0])!r} holds no images; fill it")
    return classes


@dataclass(frozen=True)
class TieredImageNet(ClassSource):
    """tiered-ImageNet, as ``tiered_imagenet`` reads it."""

    about: ClassVar[str] = "608 classes of ImageNet in 34 categories, 84x84 (--data-root)"
    kind: ClassVar[type[Inputs]] = Images
    colour: ClassVar[bool] = True

    data_root: Path | None = None

    def load(self) -> Loaded:
        """Read the images, or the cache."""
        return Loaded(tiered_imagenet(self.data_root), Images(channels=3, size=84, ink=False))
