"""CUB-200-2011: 200 species of birds, 11,788 photographs (Wah et al. 2011), in the split of Chen et al. 2019."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.cache import data_folder
from quickstudy.inputs.images import Images
from quickstudy.inputs.layout import find_classes
from quickstudy.tasks.pictures import read_pictures
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

_CLASSES = 200


def cub(root: Path | None = None, *, size: int = 84) -> Splits:
    """Return CUB-200-2011 as three disjoint sets of 100, 50 and 50 classes: uint8 images (n, 3, size, size).

    It reads the class folders in ``images`` of the published archive, ``001.Black_footed_Albatross`` to
    ``200.Common_Yellowthroat``. Whole photographs are resized to a square, as those of mini-ImageNet are, without
    bounding boxes. The split is the rule of Chen et al. by number: odd classes train, 2, 6, 10, ... are for validation,
    and 4, 8, 12, ... are the test. The result is saved in the cache for the next call.

    Args:
        root: Folder of ``images``, or of ``CUB_200_2011``; None is ``quickstudy.inputs.cache.data_folder() / "cub"``.
        size: Height and width of the images, pixels.

    Raises:
        DataError: The data is missing, or is not the 200 classes as published.
        SettingError: ``size`` is below 1.

    Source: Chen et al. 2019, openreview.net/forum?id=HkxLXnAcFQ, whose code splits by these numbers.

    >>> cub(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no CUB-200-2011 in 'nowhere': ...
    """
    images = Images(channels=3, size=size, ink=False)
    folder = data_folder() / "cub" if root is None else Path(root)
    place = next((p / "images" for p in (folder, folder / "CUB_200_2011") if (p / "images").is_dir()), None)
    if place is None:
        raise DataError(f"no CUB-200-2011 in {str(folder)!r}: put the folder images/ of CUB_200_2011.tgz there")
    classes = find_classes(place)
    names = sorted(classes)
    if [name[:4] for name in names] != [f"{number:03}." for number in range(1, _CLASSES + 1)]:
        raise DataError(
            f"{str(place)!r} has {len(names)} classes, but CUB-200-2011 has {_CLASSES}, numbered from 001. to "
            f"{_CLASSES}.; extract CUB_200_2011.tgz again"
        )
    sets = (names[0::2], names[1::4], names[3::4])
    return Splits(*(read_pictures("cub", {name: classes[name] for name in each}, images) for each in sets))


@dataclass(frozen=True)
class Cub(ClassSource):
    """CUB-200-2011, as ``cub`` reads it."""

    about: ClassVar[str] = "200 species of birds, photographs, 84x84 (--data-root)"
    kind: ClassVar[type[Inputs]] = Images
    colour: ClassVar[bool] = True

    data_root: Path | None = None

    def load(self) -> Loaded:
        """Read the photographs, or the cache."""
        return Loaded(cub(self.data_root), Images(channels=3, size=84, ink=False))
