"""Data by name: what settings and the command line call for."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table
from quickstudy.tasks.clinc150 import clinc150
from quickstudy.tasks.digits import digits
from quickstudy.tasks.folders import folders
from quickstudy.tasks.glyphs import glyphs
from quickstudy.tasks.mini_imagenet import mini_imagenet
from quickstudy.tasks.omniglot import OmniglotSplit, omniglot
from quickstudy.tasks.splits import Splits
from quickstudy.tasks.table import table
from quickstudy.tasks.text import sentences


class Source(NamedTuple):
    """Splits of classes, and the inputs that encoded them."""

    splits: Splits
    inputs: Inputs


def load(
    name: str,
    root: Path | None = None,
    *,
    split: OmniglotSplit = "background",
    inputs: Inputs | None = None,
    glyph_classes: int = 600,
    download: bool = False,
    seed: int = 0,
) -> Source:
    """The train, validation and test classes of a source.

    Args:
        name: "glyphs", "omniglot", "digits" (all ten classes are test), "folders", "mini-imagenet", "clinc150",
            "text" or "table".
        root: Folder of the data, for those that read files; the cache folder if None.
        split: Of Omniglot.
        inputs: How "folders" and "table" are encoded; a table is standardised by its own training rows if None.
        glyph_classes: Classes of glyphs to train on.
        download: Fetch what is missing, where that is allowed (Omniglot, CLINC150).
        seed: Of what is drawn or shuffled.

    Raises:
        DataError: The data is not where it should be; the message says where to put it.

    >>> load("digits").splits.test.n_classes
    10
    """
    if name == "folders":
        if root is None:
            raise DataError("data = 'folders' needs the folder of your images; give it as data_root")
        images = inputs if isinstance(inputs, Images) else Images()
        return Source(folders(root, images, seed=seed), images)
    if name == "omniglot":
        return Source(omniglot(root, split=split, download=download, seed=seed), Images())
    if name == "clinc150":
        return Source(clinc150(root, download=download), Sentences.fitted(()))
    if name == "text":
        return Source(sentences(root, seed=seed), Sentences.fitted(()))
    if name == "table":
        return Source(*table(root, seed, inputs if isinstance(inputs, Table) else None))
    if name == "mini-imagenet":
        return Source(mini_imagenet(root), Images(channels=3, size=84, ink=False))
    if name == "digits":
        data = digits()
        return Source(Splits(data.select([]), data.select([]), data), Images())
    return Source(glyphs((glyph_classes, 100, 200), seed=seed), Images())
