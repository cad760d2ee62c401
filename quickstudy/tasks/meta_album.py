"""Meta-Album: data sets of 20 classes or more in one layout, from microscopy to satellites (Ullah et al. 2022)."""

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
from quickstudy.tasks.splits import Splits, cut


def meta_album(root: Path | None = None, *, size: int = 128, seed: int = 0) -> Splits:
    """Return a data set in the layout of Meta-Album as three disjoint sets of classes: uint8 images (n, 3, size, size).

    It reads ``labels.csv`` (columns ``FILE_NAME`` and ``CATEGORY``), and the images that it names from ``images``, or
    from beside the table. Published images have 128x128 pixels, so that nothing is resized. Meta-Album publishes no
    list of classes for training. They are shuffled by ``seed`` and cut into 60, 20 and 20 percent. The images are saved
    in the cache for the next call.

    Args:
        root: Folder of one data set; None is ``quickstudy.inputs.cache.data_folder() / "meta_album"``.
        size: Height and width of the images, pixels.
        seed: Seed of the shuffle.

    Raises:
        DataError: A file is missing or damaged, or a row names a missing image.
        NotEnoughClasses: There are fewer than three classes.
        SettingError: ``size`` is below 1.

    Source: Ullah et al. 2022, arXiv:2302.08909; the layout is that of github.com/ihsaan-ullah/meta-album.

    >>> meta_album(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no labels.csv in 'nowhere': ...
    """
    images = Images(channels=3, size=size, ink=False)
    folder = data_folder() / "meta_album" if root is None else Path(root)
    if not (folder / "labels.csv").is_file():
        raise DataError(
            f"no labels.csv in {str(folder)!r}: put one data set of Meta-Album there, labels.csv and the folder images/"
        )
    inside = folder / "images" if (folder / "images").is_dir() else folder
    classes, _ = read_table(folder / "labels.csv", inside, ("FILE_NAME", "CATEGORY"), {})
    return cut(read_pictures("meta_album", classes, images), seed=seed)


@dataclass(frozen=True)
class MetaAlbum(ClassSource):
    """One data set of Meta-Album, as ``meta_album`` reads it."""

    about: ClassVar[str] = "a data set of Meta-Album, photographs, 128x128 (--data-root)"
    kind: ClassVar[type[Inputs]] = Images
    colour: ClassVar[bool] = True

    data_root: Path | None = None
    seed: int = 0

    def load(self) -> Loaded:
        """Read the images, or the cache."""
        return Loaded(meta_album(self.data_root, seed=self.seed), Images(channels=3, size=128, ink=False))
