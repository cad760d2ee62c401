"""Drawings and other images of one size: encoding of image files for a convolutional net."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import as_float
from quickstudy.inputs.decode import decoded, png, upright
from quickstudy.inputs.framing import frame, paper_of, reduced
from quickstudy.inputs.modules import ImageModule
from quickstudy.inputs.pictures import Pictures

_FAINT = 32  # levels; fainter differences from the paper are not raised to full ink, because they may be noise
_SHADES = 4  # levels; an image with fewer is of one colour


@dataclass(frozen=True)
class Images(Pictures):
    """Images of one size; drawings, unless ``ink`` is off.

    The same picture is encoded alike as a file, a Pillow image, an array, a tensor or a nested list. Layout and number
    type do not matter (see ``decode.levels``). A drawing of the net's size on paper of exactly 0 is an encoded one, and
    encoding does not change it. So arrays of encoded drawings may be given wherever pictures may.

    Attributes:
        channels: 1 for grey, 3 for red, green and blue.
        size: Pixels per side.
        ink: Whether the images are drawings, on light or dark paper. Paper is encoded as 0 and ink as 255.

    Raises:
        SettingError: Channels other than 1 or 3, or a size below 1.

    >>> Images()
    Images(channels=1, size=28, ink=True)
    """

    channels: int = 1
    size: int = 28
    ink: bool = True

    nets: ClassVar[tuple[str, ...]] = ("conv4", "conv4-maps", "resnet6", "resnet12")
    spatial: ClassVar[bool] = True
    model: ClassVar[str | None] = "glyphs-proto"
    copies_within: ClassVar[float] = 0.28  # measured: benchmarks/copies.py

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or self.size < 1:
            raise SettingError(f"channels={self.channels}, size={self.size}: channels are 1 or 3, size is 1 or more")

    @property
    def words(self) -> str:
        """Words for these inputs in messages."""
        return "drawings" if self.ink else "images"

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded image, (channels, size, size)."""
        return self.channels, self.size, self.size

    @property
    def recipe(self) -> str:
        """Description of how one image is encoded."""
        mode = "grey (ITU-R 601 luma)" if self.channels == 1 else "red, green and blue"
        size = f"{self.size} x {self.size}"
        start = (
            f"Turn upright by EXIF, put on white where transparent (on black if all pixels of alpha above 127 are "
            f"lighter than 127), convert to {mode}, 8 bits. "
        )
        if not self.ink:
            return f"{start}Resize to {size} by Pillow's LANCZOS filter, proportions changing. Divide by 255."
        return (
            f"{start}Paper is the median of the border's pixels, per channel; it is light where its mean is above 127. "
            f"A picture of {size} whose paper is 0 is ink already: divide by 255. In a larger picture, a drawing that "
            f"is small, off the centre, in a frame or on uneven paper is cut out first, as in "
            f"quickstudy/inputs/framing.py. Then: "
            f"Resize by Pillow's BOX filter to {self.size} pixels of the longer side, proportions kept. Ink is paper "
            f"minus pixel where paper is light, pixel minus paper otherwise, at least 0. Let s be the largest such "
            f"difference in the picture before resizing, m the largest after: multiply ink by 255 / max({_FAINT}, "
            f"min(s, 2 m)), round, cut at 255. Centre on a {size} square of zeros. Divide by 255."
        )

    def are_encoded(self, x: Tensor) -> Tensor:
        """Return which images (n, *shape) encoding would leave as they are: levels, and ink on paper of 0."""
        if x.dtype != torch.uint8 and not x.is_floating_point():
            return torch.zeros(len(x), dtype=torch.bool)
        flat = x.flatten(1)
        known = (flat.amin(1) >= 0) & (flat.amax(1) <= (1 if x.is_floating_point() else 255))
        return (known if not self.ink else known & (_borders(x).median(-1).values == 0).all(1)).cpu()

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return images as uint8 (n, channels, size, size)."""
        # Filled in place: stacking a list would need twice the memory, which may be a gigabyte.
        x = torch.empty(len(items), *self.shape, dtype=torch.uint8)
        for row, item in enumerate(items):
            pixels, doubt = decoded(item, self._framed)
            if doubt:
                warnings.warn(f"{item.name!r}: {doubt}, so the answer may be wrong", stacklevel=2)
            x[row] = torch.from_numpy(pixels)
        return x

    def module(self) -> ImageModule:
        """Return the encoding of one picture as a module, without the cutting out of drawings."""
        return ImageModule(self.channels, self.size, ink=self.ink, faint=_FAINT)

    def blank(self, x: Tensor) -> Tensor:
        """Return which encoded images (n, *shape) are of one colour, up to what noise may differ, (n,)."""
        rows = x.flatten(2)
        return 255 * as_float(rows.amax(-1) - rows.amin(-1)).amax(-1) < (_FAINT if self.ink else _SHADES)

    def pixels(self, image: Image.Image) -> np.ndarray:
        """Return an image as an array, (channels, size, size) uint8: upright, transparent parts white.

        A drawing (``ink``) in a larger image is cut out first, if it is small, off the centre, in a frame or on uneven
        paper. See ``quickstudy.inputs.framing``. Every drawing is then reduced by the BOX filter, the mean of the
        pixels that each new pixel covers. It keeps its proportions and is centred on a square of the same paper. The
        paper is the median colour of the border. If the paper is light, the drawing is inverted, so that ink is bright.

        Paper becomes 0 and the strongest ink of the original 255. Strokes thinner than a new pixel are amplified until
        the strongest reaches half of 255. A blank page stays blank. An image of the net's size on paper of exactly 0 is
        returned as it is.

        Any other image is resized to the square by the LANCZOS filter, as mini-ImageNet's images are, without keeping
        its proportions.

        >>> page = Image.new("L", (4, 4), "white")
        >>> page.putpixel((1, 2), 0)
        >>> Images(size=4).pixels(page)[0, 2].tolist()
        [0, 255, 0, 0]
        """
        return self._framed(image)[0]

    def _framed(self, image: Image.Image) -> tuple[np.ndarray, str | None]:
        """Return an image as an array, and the reason why its drawing may not be what people see, if there is one."""
        image = upright(image, self.mode)
        if not self.ink:
            return _planes(np.asarray(image.resize((self.size, self.size), Image.Resampling.LANCZOS))), None
        if image.size == (self.size, self.size) and not paper_of(image).any():  # an encoded drawing
            return _planes(np.asarray(image)), None
        # A picture that is as small as the net's own was framed by whoever made it.
        image, doubt = frame(image) if max(image.size) > self.size else (image, None)
        paper = paper_of(image)
        light = bool(paper.mean() > 127)
        extremes = np.reshape(image.getextrema(), (-1, 2))
        strongest = (paper - extremes[:, 0] if light else extremes[:, 1] - paper).max()
        # Reduce before padding: a line of 16 million pixels must not become a square of that side.
        width, height = (max(1, round(side * self.size / max(image.size))) for side in image.size)
        small = np.atleast_3d(np.asarray(image.resize((width, height), Image.Resampling.BOX)))
        ink = np.maximum(paper - small if light else small - paper, 0)
        ink *= 255 / max(_FAINT, min(strongest, 2 * ink.max()))
        square = np.zeros((self.size, self.size, self.channels), np.uint8)
        top, left = (self.size - height) // 2, (self.size - width) // 2
        square[top : top + height, left : left + width] = np.rint(ink).clip(0, 255)
        return _planes(square), doubt

    def loses_colour(self, items: Sequence[Item]) -> bool:
        """Return whether most of some items, a sample of at most 30, are in colour, but are encoded as grey."""
        if self.channels == 3 or not items:
            return False
        sample = [items[i * len(items) // 30] for i in range(30)] if len(items) > 30 else items
        in_colour = sum(decoded(item, _is_coloured) for item in sample)
        return 2 * in_colour > len(sample)

    def keep(self, item: Item) -> bytes:
        """Return the image as a PNG file, with at most 224 pixels on its longer side."""
        return png(decoded(item, self.small))

    def picture(self, item: Item) -> bytes:
        """Return the saved copy of the image."""
        return self.keep(item)

    @property
    def mode(self) -> str:
        """Mode of a picture before it is encoded."""
        return "L" if self.channels == 1 else "RGB"

    def small(self, image: Image.Image) -> Image.Image:
        """Return an upright image with at most 224 pixels on its longer side."""
        return reduced(upright(image, self.mode))

    def ground(self, image: Image.Image) -> tuple[int, ...]:
        """Return the colour of the paper."""
        return tuple(int(level) for level in paper_of(image))


def _borders(x: Tensor) -> Tensor:
    """Return the pixels of the four sides of images (n, channels, size, size), (n, channels, 4 size)."""
    return torch.cat([x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1]], -1)


def _is_coloured(image: Image.Image) -> bool:
    """Return whether a tenth of the pixels, after a reduction, are clearly coloured."""
    small = np.asarray(upright(image, "RGB").resize((28, 28), Image.Resampling.BOX)).astype(int)
    return bool((np.ptp(small, axis=2) > _FAINT).mean() > 0.1)


def _planes(pixels: np.ndarray) -> np.ndarray:
    return np.atleast_3d(pixels).transpose(2, 0, 1).copy()
