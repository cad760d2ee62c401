"""Source of tasks from your own images, with one folder per class."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.dataset import ClassDataset, encoded
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.frozen import Encoded
from quickstudy.inputs.images import Images
from quickstudy.inputs.layout import left_out, listing, refuse_splits
from quickstudy.inputs.pictures import Pictures
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import FIFTHS, Splits, cut

_SPLITS = (("train",), ("validation", "val", "valid"), ("test",))


def folders(path: Path, images: Pictures, sizes: tuple[float, float, float] = FIFTHS, seed: int = 0) -> Splits:
    """Return a folder of images as three disjoint splits of its classes.

    If there are at least two of the sub-folders ``train``, ``validation`` (``val``, ``valid``) and ``test``, they are
    the splits, of different classes. Otherwise the classes are shuffled and divided. Each split has the layout that
    ``read_folder`` describes.

    Args:
        path: Folder of the images.
        images: Inputs that encode every image.
        sizes: Shares of the classes for train, validation and test, without sub-folders for splits (see ``cut``).
        seed: Seed of the shuffle.

    Raises:
        DataError: The folder is not as ``read_folder`` describes; or there are only two of the sub-folders; or a
            class is in two of them.
        NotEnoughClasses: There are fewer classes than splits.
        SettingError: Shares are negative or do not add up to 1.

    >>> folders(Path("nowhere"), Images())  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: folder 'nowhere' cannot be read: ...
    """
    if rest := left_out(Path(path)):
        warnings.warn(rest, stacklevel=2)
    inside = listing(Path(path))[1]
    refuse_splits(Path(path), inside)
    by_name = {folder.name: folder for folder in inside}
    places = [[by_name[name] for name in names if name in by_name] for names in _SPLITS]
    if sum(map(bool, places)) >= 2:  # a single one may be a class of that name
        return _read_splits(Path(path), places, images)
    return cut(read_folder(path, images), sizes, seed)


def read_folder(path: Path, images: Pictures) -> ClassDataset:
    """Return all images of a folder of class folders, which may be one level deeper, in groups.

    A class is named after its folder, or ``group/class``. Classes are sorted by name, images by file name. Hidden
    files are ignored, and so are files without the suffix of an image.

    Args:
        path: Folder of the class folders.
        images: Inputs that encode every image.

    Raises:
        DataError: The folder is missing or has another layout, a class folder holds no image, or an image cannot be
            read.

    >>> import tempfile
    >>> from PIL import Image
    >>> with tempfile.TemporaryDirectory() as name:
    ...     (Path(name) / "cats").mkdir()
    ...     Image.new("L", (40, 30)).save(Path(name) / "cats" / "tom.png")
    ...     data = read_folder(Path(name), Images(size=28))
    >>> data.names, data.x.shape
    (('cats',), torch.Size([1, 1, 28, 28]))
    """
    labelled = images.labelled(Path(path))
    return embedded(images, labelled) if isinstance(images, Encoded) else encoded(images, labelled)


def _read_splits(path: Path, places: list[list[Path]], images: Pictures) -> Splits:
    for names, folders in zip(_SPLITS, places, strict=True):
        if len(folders) != 1:
            raise DataError(
                f"{str(path)!r} has {len(folders) or 'no'} folders for {names[0]}, but has other splits; "
                f"give it one, named {' or '.join(names)}"
            )
    return Splits(*(read_folder(folder, images) for (folder,) in places))


@dataclass(frozen=True)
class Folders(ClassSource):
    """Source of a folder of images, with one folder per class."""

    about: ClassVar[str] = "your own images, one folder per class (--data-root)"
    kind: ClassVar[type[Inputs]] = Images

    data_root: Path | None = None
    image_size: int = 28
    channels: int = 1
    ink: bool = True
    seed: int = 0
    inputs: Inputs | None = None

    def load(self) -> Loaded:
        """Read the images."""
        if self.data_root is None:
            raise DataError("data = 'folders' needs the folder of your images; give it as data_root")
        own = Images(self.channels, self.image_size, self.ink)
        images = self.inputs if isinstance(self.inputs, Pictures) else own
        splits = folders(self.data_root, images, seed=self.seed)
        items = [item for data in splits for item in data.items]
        if self.inputs is None and own.loses_colour(items):
            warnings.warn(
                f"most images of {str(self.data_root)!r} are in colour, but are read as {own.size} x {own.size} "
                f"grey drawings; to keep colour, set channels = 3, image_size = 84 and ink = false; `quickstudy tasks "
                f"folders --data-root DIR --draw tasks.png` draws them"
                if own.ink
                else f"most images of {str(self.data_root)!r} are in colour, but are read as grey; set channels = 3",
                stacklevel=2,
            )
        return Loaded(splits, images)
