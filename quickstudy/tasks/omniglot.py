"""Omniglot: 1,623 handwritten characters of 50 alphabets, each drawn by 20 people (Lake et al. 2015)."""

from __future__ import annotations

import hashlib
import io
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
from PIL import Image

from quickstudy.errors import DataError, SettingError, unknown
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.cache import data_folder, prepared
from quickstudy.inputs.dataset import ClassDataset, joined
from quickstudy.inputs.images import Images
from quickstudy.io.download import fetch
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits, split_classes

OmniglotSplit = Literal["background", "vinyals", "random", "small1", "small2"]

_URL = "https://raw.githubusercontent.com/brendenlake/omniglot/master/python"
# Only MD5 was published for these archives. It detects an interrupted or wrong download, and the content is only
# decoded as small PNG images.
_CHECKSUM = {
    "images_background": "md5:68d2efa1b9178cc56df9314c21c6e718",
    "images_evaluation": "md5:6b91aef0f799c5bb55b94e3f2daec811",
}
_MAX_BYTES = 32 * 2**20
_MAX_IMAGE = 2**16  # bytes read per image: a few hundred are usual, and a compressed file may expand without limit
_VINYALS_VALIDATION = {"Armenian", "Bengali", "Early_Aramaic", "Hebrew", "Mkhedruli_(Georgian)"}
MINIMAL_SETS = {
    "small1": {"Balinese", "Early_Aramaic", "Greek", "Korean", "Latin"},
    "small2": {"Greek", "Japanese_(katakana)", "Latin", "Sanskrit", "Tagalog"},
}
"""The five background alphabets of each minimal set, Lake et al. 2019."""
_VERSION = 1  # version of the prepared images; increase it when their preparation changes
_DRAWN, _SIDE = (105, 105), 28
_IMAGE = re.compile(r"(?:.*/)?([^/]+/character\d+)/[^/]+\.png")


def omniglot(
    root: Path | None = None, *, split: OmniglotSplit = "background", download: bool = False, seed: int = 0
) -> Splits:
    """Return Omniglot as three disjoint sets of classes: uint8 images (n, 1, 28, 28), ink 255 on 0, 20 per class.

    It reads ``images_background.zip`` and ``images_evaluation.zip``, or folders of the same names, in ``root`` or
    ``root/omniglot``. Images are reduced from 105x105 by Pillow's BOX filter, the mean over the pixels that each new
    pixel covers. Classes are named ``Alphabet/characterNN`` and sorted by name; images are sorted by file name. The
    result is saved in the cache for the next call.

    Args:
        root: Folder of the archives; None is ``quickstudy.inputs.cache.data_folder() / "omniglot"``.
        split: Name of the split, see below.
        download: Download missing archives from the authors' repository.
        seed: Seed of the shuffle in ``"random"``.

    The splits are:

    ``"background"``, as the authors meant it: the 20 evaluation alphabets (659 characters) are the test. Every tenth of
    the 30 background alphabets, by name, is validation (136 characters); the others are train (828).

    ``"vinyals"``, fixed, with 1028/172/423 characters, as Snell et al. 2017 after Vinyals et al. 2016. Characters are
    in the order of names, background before evaluation. Of the first 1200, five whole alphabets are validation and the
    others train; the last 423 are the test. One alphabet, Gurmukhi, is in both train and test.

    ``"random"``: 1100/100/423 characters shuffled by ``seed``, as Finn et al. 2017. Most alphabets have characters in
    several sets, which is easier.

    ``"small1"`` and ``"small2"``, as Lake et al. 2019: train is five background alphabets, the test is the evaluation
    alphabets, and there is no validation.

    Raises:
        DataError: The data is missing, cannot be downloaded or is damaged.
        NotEnoughClasses: The archives contain fewer characters than the split needs.
        SettingError: ``split`` is unknown.

    Source: Lake et al. 2015, doi:10.1126/science.aab3050; Vinyals et al. 2016, arXiv:1606.04080; Snell et al. 2017,
    arXiv:1703.05175; Finn et al. 2017, arXiv:1703.03400; Lake et al. 2019, arXiv:1902.03477, for the minimal sets.

    >>> omniglot(Path("nowhere"))  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: no images_background in 'nowhere': ...
    """
    if split not in get_args(OmniglotSplit):
        raise SettingError(unknown("Omniglot split", split, get_args(OmniglotSplit)))
    folder = data_folder() / "omniglot" if root is None else Path(root)
    background, evaluation = [_read(path) for path in [_find(folder, part, download) for part in _CHECKSUM]]
    alphabets = [name.split("/")[0] for name in background.names]
    if split in MINIMAL_SETS:
        few = np.flatnonzero(np.isin(alphabets, sorted(MINIMAL_SETS[split])))
        return Splits(background.select(few), background.select([]), evaluation)
    if split == "background":
        chosen = np.isin(alphabets, sorted(set(alphabets))[9::10])
        return Splits(background.select(np.flatnonzero(~chosen)), background.select(np.flatnonzero(chosen)), evaluation)
    both = joined(background, evaluation)
    if split == "random":
        return split_classes(both.select(np.argsort(both.names)), (1100, 100, 423), seed)
    side = [(i >= 1200) * 2 or name.split("/")[0] in _VINYALS_VALIDATION for i, name in enumerate(both.names)]
    return split_classes(both.select(np.argsort(side, kind="stable")), (1028, 172, 423), seed=None)


def alphabet(name: str) -> str:
    """Return the alphabet of a class, by its name; rotated alphabets are separate ones, and all glyphs are in one.

    >>> alphabet("Greek/character01"), alphabet("Greek/character01@90"), alphabet("glyph-000012")
    ('Greek', 'Greek@90', '')
    """
    letters, _, character = name.rpartition("/")
    return letters + "".join(character.partition("@")[1:])


def _find(folder: Path, part: str, download: bool) -> Path:
    for place in (folder, folder / "omniglot"):
        for path in (place / f"{part}.zip", place / part):
            if path.exists():
                return path
    if not download:
        raise DataError(
            f"no {part} in {str(folder)!r}: put images_background.zip and images_evaluation.zip there, or download "
            f"them with `quickstudy tasks omniglot --download`"
        )
    return fetch(f"{_URL}/{part}.zip", folder / f"{part}.zip", checksum=_CHECKSUM[part], max_bytes=_MAX_BYTES)


def _read(path: Path) -> ClassDataset:
    """Return the images of an archive or folder, from the cache if they were prepared before."""

    def prepare() -> ClassDataset:
        images = {name: drawing(content, path / name) for name, content in _contents(path)}
        if not images:
            raise DataError(f"{path} contains no ALPHABET/characterNN/NAME.png; put Omniglot's {path.stem}.zip there")
        names = sorted(images)
        classes = [match[1] for name in names if (match := _IMAGE.fullmatch(name))]
        return ClassDataset.from_labels(np.stack([images[name] for name in names])[:, None], classes)

    try:
        return prepared(f"{path.stem}-{_VERSION}-{_key(path)}", prepare)
    except (OSError, zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise DataError(f"cannot read {path}: {error}; download Omniglot again") from error


def _key(path: Path) -> str:
    """Return a hash of the source: an archive's bytes, or the paths, sizes and times of a folder's files."""
    if path.is_file():
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:32]
    about = [(str(file), file.stat()) for file in sorted(path.absolute().rglob("*.png"))]
    return hashlib.sha256(repr([(file, s.st_size, s.st_mtime_ns) for file, s in about]).encode()).hexdigest()[:32]


def _contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the name and bytes of each image."""
    if path.is_dir():
        for file in path.rglob("*.png"):
            name = file.relative_to(path).as_posix()
            if _IMAGE.fullmatch(name):
                yield name, file.read_bytes()
        return
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            if _IMAGE.fullmatch(name) and not name.startswith("__MACOSX"):
                with archive.open(name) as member:
                    yield name, member.read(_MAX_IMAGE)


def drawing(content: bytes, where: Path) -> np.ndarray:
    """Decode a drawing of Omniglot from the bytes of its PNG: 28x28 uint8, ink 255.

    Raises:
        DataError: The content is not a PNG of 105x105 pixels.
    """
    try:
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            image.verify()  # checksums, which decoding ignores; afterwards the image must be opened again
        with Image.open(io.BytesIO(content), formats=["PNG"]) as image:
            size = image.size
            # First from 1 bit to 8: Pillow always resizes 1-bit images by the nearest pixel.
            small = image.convert("L").resize((_SIDE, _SIDE), Image.Resampling.BOX) if size == _DRAWN else None
    except (OSError, SyntaxError, ValueError, struct.error, zlib.error, Image.DecompressionBombError) as error:
        raise DataError(f"{where} is not a readable PNG; download Omniglot again") from error
    if small is None:
        raise DataError(f"{where} has {size[0]}x{size[1]} pixels, but Omniglot has 105x105; download it again")
    return 255 - np.asarray(small)


@dataclass(frozen=True)
class Omniglot(ClassSource):
    """Omniglot, as ``omniglot`` reads it."""

    about: ClassVar[str] = "1,623 characters of 50 alphabets, 20 drawings each"
    kind: ClassVar[type[Inputs]] = Images

    data_root: Path | None = None
    split: OmniglotSplit = "background"
    seed: int = 0
    download: bool = False

    def load(self) -> Loaded:
        """Read the archives, or the cache."""
        return Loaded(omniglot(self.data_root, split=self.split, download=self.download, seed=self.seed), Images())
