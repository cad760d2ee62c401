"""CIFAR-FS and FC100: the 100 classes of CIFAR-100 (Krizhevsky 2009), 600 photographs each, in two splits by class."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.cache import data_folder, prepared
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.io.download import fetch
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

_ARCHIVE = "cifar-100-binary.tar.gz"
_URL = "https://www.cs.toronto.edu/~kriz"
_CHECKSUM = "sha256:58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"
_MAX_BYTES = 2**28  # of the archive, and of its content: 161 and 176 MiB as published
_FETCH = "download it with `quickstudy tasks cifar-fs --download`"
_VERSION = 1  # version of the prepared images; increase it when their preparation changes
_IMAGES = Images(channels=3, size=32, ink=False)
_PER_CLASS = {"train.bin": 500, "test.bin": 100}
_RECORD = 2 + 3 * 32 * 32  # bytes: superclass, class, and the red, green and blue pixels

# Training classes are all others.
_CIFAR_FS = (
    "beaver beetle butterfly camel cattle crab crocodile flatfish lamp maple_tree motorcycle otter sea shark "
    "television tractor",
    "baby bed bicycle chimpanzee fox leopard man pickup_truck plain poppy rocket rose snail sweet_pepper table "
    "telephone wardrobe whale woman worm",
)
_FC100 = (
    "bear camel cattle chimpanzee crab elephant hamster kangaroo leopard lion lobster mouse rabbit shrew snail spider "
    "squirrel tiger wolf worm",
    "baby beaver bee beetle boy butterfly caterpillar cockroach dolphin fox girl man otter porcupine possum raccoon "
    "seal skunk whale woman",
)


def cifar_fs(root: Path | None = None, *, download: bool = False) -> Splits:
    """Return CIFAR-FS: 64/16/20 classes of CIFAR-100, chosen at random by its authors.

    Inputs are uint8 images (n, 3, 32, 32), 600 per class: those of CIFAR-100's training part before those of its test
    part. Classes are sorted by name. Images are read from the binary archive ``cifar-100-binary.tar.gz``, without
    writing any file of it to disk. The result is saved in the cache for the next call.

    Args:
        root: Folder of the archive; None is ``quickstudy.inputs.cache.data_folder() / "cifar100"``.
        download: Download the archive if it is missing, and verify its checksum.

    Raises:
        DataError: The archive is missing, cannot be downloaded or is damaged.

    Source: Bertinetto et al. 2019, arXiv:1805.08136.

    >>> cifar_fs(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no cifar-100-binary.tar.gz in 'nowhere': ...
    """
    return _split(root, download, *_CIFAR_FS)


def fc100(root: Path | None = None, *, download: bool = False) -> Splits:
    """Return FC100: 60/20/20 classes of CIFAR-100, whose 12/4/4 superclasses never meet. It is read as CIFAR-FS is.

    The sets have 12, 4 and 4 superclasses, as in the code of its authors and in later work; the paper's text says 5
    where it means 4.

    Args:
        root: Folder of the archive; None is ``quickstudy.inputs.cache.data_folder() / "cifar100"``.
        download: Download the archive if it is missing, and verify its checksum.

    Raises:
        DataError: The archive is missing, cannot be downloaded or is damaged.

    Source: Oreshkin et al. 2018, arXiv:1805.10123.

    >>> fc100(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no cifar-100-binary.tar.gz in 'nowhere': ...
    """
    return _split(root, download, *_FC100)


def _split(root: Path | None, download: bool, validation: str, test: str) -> Splits:
    data = _cifar100(data_folder() / "cifar100" if root is None else Path(root), download)
    number = {name: c for c, name in enumerate(data.names)}
    sets = [[number[name] for name in names.split()] for names in (validation, test)]
    train = sorted(set(number.values()).difference(*sets))
    return Splits(data.select(train), *(data.select(classes) for classes in sets))


def _cifar100(folder: Path, download: bool) -> ClassDataset:
    """Return all classes from the archive, or from the cache if the archive was prepared before."""
    path = folder / _ARCHIVE
    if not path.is_file():
        if not download:
            raise DataError(
                f"no {_ARCHIVE} in {str(folder)!r}: put CIFAR-100's binary version there (the Python version is a "
                f"pickle, which is code and is never read), or {_FETCH}"
            )
        fetch(f"{_URL}/{_ARCHIVE}", path, checksum=_CHECKSUM, max_bytes=_MAX_BYTES)
    try:
        with path.open("rb") as file:
            checksum = hashlib.file_digest(file, "sha256").hexdigest()
        if f"sha256:{checksum}" != _CHECKSUM:
            warnings.warn(
                f"{str(path)!r} is not the published archive, by its SHA-256; its form is checked, its images are not",
                stacklevel=2,
            )
        return prepared(f"cifar100-{_VERSION}-{checksum[:32]}", lambda: _read(path))
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError, OverflowError) as error:
        raise DataError(f"cannot read {str(path)!r}: {error}; remove it, then {_FETCH}") from error


def _read(path: Path) -> ClassDataset:
    with gzip.open(path) as file:
        content = file.read(_MAX_BYTES + 1)  # read at once: a compressed file may expand without limit
    if len(content) > _MAX_BYTES:
        raise ValueError(f"it expands to more than {_MAX_BYTES} bytes")
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        members = {member.name.rpartition("/")[2]: member for member in archive if member.isreg()}
    missing = [name for name in ("fine_label_names.txt", *_PER_CLASS) if name not in members]
    if missing:
        raise ValueError(f"it holds no {missing[0]}")
    member = members["fine_label_names.txt"]
    names = content[member.offset_data : member.offset_data + member.size].decode("ascii").split()
    known = set(" ".join(_CIFAR_FS + _FC100).split())
    if len(set(names)) != len(names) or len(names) != 100 or not known <= set(names):
        raise ValueError("fine_label_names.txt does not hold the 100 names of its classes")
    images, labels = [], []
    for part, count in _PER_CLASS.items():
        member = members[part]
        if member.size != 100 * count * _RECORD or member.issparse():
            raise ValueError(
                f"{part} has {member.size} bytes, but {100 * count} records of {_RECORD} bytes are expected"
            )
        rows = np.frombuffer(content, np.uint8, member.size, member.offset_data).reshape(-1, _RECORD)
        if (np.bincount(rows[:, 1], minlength=100) != count).any():
            raise ValueError(f"{part} does not hold {count} images of each class")
        images.append(rows[:, 2:].reshape(-1, *_IMAGES.shape))
        labels += [names[c] for c in rows[:, 1]]
    return ClassDataset.from_labels(np.concatenate(images), labels)


@dataclass(frozen=True)
class CifarFS(ClassSource):
    """CIFAR-FS, as ``cifar_fs`` reads it."""

    about: ClassVar[str] = "100 classes of small photographs, 32x32; download it"
    kind: ClassVar[type[Inputs]] = Images
    colour: ClassVar[bool] = True

    data_root: Path | None = None
    download: bool = False

    def load(self) -> Loaded:
        """Read the archive, or the cache."""
        return Loaded(cifar_fs(self.data_root, download=self.download), _IMAGES)


@dataclass(frozen=True)
class FC100(ClassSource):
    """FC100, as ``fc100`` reads it."""

    about: ClassVar[str] = "the same photographs, split by superclass; download it"
    kind: ClassVar[type[Inputs]] = Images
    colour: ClassVar[bool] = True

    data_root: Path | None = None
    download: bool = False

    def load(self) -> Loaded:
        """Read the archive, or the cache."""
        return Loaded(fc100(self.data_root, download=self.download), _IMAGES)
