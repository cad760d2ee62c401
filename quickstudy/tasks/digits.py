"""Real handwritten digits that come with scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch.nn import functional as F

from quickstudy.inputs.base import Inputs
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits


def digits() -> ClassDataset:
    """Return all 1797 digits in ten classes "0" to "9": uint8 images (1797, 1, 28, 28), ink 255 on 0.

    They are scikit-learn's ``load_digits``, which needs no download: 8x8 pixels of 17 grey levels by 13 writers. Here
    they are enlarged to 20x20 by bicubic interpolation, with a margin of 4 pixels. A digit is then as large as a
    character of Omniglot or of ``glyphs``; its strokes remain wider and softer.

    Source: Alpaydin and Kaynak 1998, Optical Recognition of Handwritten Digits, test part, doi:10.24432/C50P49.

    >>> data = digits()
    >>> data.x.shape, "".join(data.names)
    (torch.Size([1797, 1, 28, 28]), '0123456789')
    """
    from sklearn.datasets import load_digits  # here, since it takes most of a second

    dataset = load_digits()
    x = torch.from_numpy(dataset.images).float()[:, None] * (255 / 16)
    x = F.interpolate(x, (20, 20), mode="bicubic", align_corners=False)
    return ClassDataset.from_labels(F.pad(x, (4, 4, 4, 4)).clamp(0, 255).round().to(torch.uint8), dataset.target)


@dataclass(frozen=True)
class Digits(ClassSource):
    """The digits, all ten of them test classes."""

    about: ClassVar[str] = "real handwritten digits, all for testing"
    kind: ClassVar[type[Inputs]] = Images

    def load(self) -> Loaded:
        """Return no class for training and validation, and ten for the test."""
        data = digits()
        return Loaded(Splits(data.select([]), data.select([]), data), Images())
