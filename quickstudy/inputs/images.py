"""Drawings and other images of one size: encoding of image files for a convolutional net."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import as_float
from quickstudy.inputs.decode import decoded, levels, numbers, png, upright
from quickstudy.inputs.framing import frame, paper_of, reduced
from quickstudy.inputs.layout import find_classes, image_files, is_image_name, left_out

_FAINT = 32  # levels; fainter differences from the paper are not raised to full ink, because they may be noise
_SHADES = 4  # levels; an image with fewer is of one colour
_PATCHES = 7  # number of patches per side, for ``parts``


@dataclass(frozen=True)
class Images(Inputs):
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

    noun: ClassVar[str] = "image"
    part: ClassVar[str] = "patch"
    part_plural: ClassVar[str] = "patches"
    nets: ClassVar[tuple[str, ...]] = ("conv4", "conv4-maps", "resnet6", "resnet12")
    spatial: ClassVar[bool] = True
    model: ClassVar[str | None] = "glyphs-proto"

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or self.size < 1:
            raise SettingError(f"channels={self.channels}, size={self.size}: channels are 1 or 3, size is 1 or more")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one encoded image, (channels, size, size)."""
        return self.channels, self.size, self.size

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value is a Pillow image, an array of at least two axes, or the name of an image file."""
        if isinstance(value, str | Path):
            return is_image_name(value)
        return isinstance(value, Image.Image) or ((x := numbers(value)) is not None and x.ndim > 1)

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

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Return whether the source is a folder that holds image files, at any depth."""
        return any(is_image_name(name) for _, _, names in os.walk(source) for name in names)

    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        """Yield an image file, the image files of a folder, or an upload."""
        if isinstance(source, bytes):
            yield Item("upload", source)
        elif Path(source).is_dir():
            paths = image_files(Path(source))
            rest = left_out(Path(source), deep=False)
            if not paths:
                raise DataError(rest or f"{str(source)!r} is a folder without images; give image files")
            if rest:
                warnings.warn(rest, stacklevel=2)
            yield from (Item(str(path), path) for path in paths)
        else:
            yield Item(str(source), Path(source))

    @classmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        """Return the images of a folder of class folders, in the order of their names."""
        classes = find_classes(source)
        return [(Item(str(path), path), label) for label in sorted(classes) for path in classes[label]]

    @classmethod
    def left_out(cls, source: Path) -> str | None:
        """Return one line about the files in a folder of class folders that are not images."""
        return left_out(source)

    def items(self, things: Any, skip: Callable[[DataError], object] | None = None) -> list[Item]:
        """Convert a list or array to items; the images of one array have one scale, whatever the brightness of each."""
        stack = numbers(things) if isinstance(things, np.ndarray | Tensor) else None
        scaled = None if stack is None or stack.ndim < 3 else levels(stack)
        return super().items(things if scaled is None else scaled, skip)

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
        image = upright(image, self._mode)
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
        return png(decoded(item, self._reduced))

    def picture(self, item: Item) -> bytes:
        """Return the saved copy of the image."""
        return self.keep(item)

    def caption(self, item: Item) -> str:
        """Return the file's name without its folders."""
        return Path(item.name).name

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield 7 by 7 patches, row by row, each with the image in which the patch is covered by paper colour."""
        image = decoded(item, self._reduced)
        paper = tuple(int(level) for level in paper_of(image))
        for row in range(_PATCHES):
            for column in range(_PATCHES):
                without = image.copy()
                (left, right), (top, bottom) = (
                    (side * k // _PATCHES, side * (k + 1) // _PATCHES - 1)
                    for side, k in zip(image.size, (column, row), strict=True)
                )
                if (
                    left <= right and top <= bottom
                ):  # in an image of fewer than 7 pixels per side, some patches are empty
                    fill = paper if len(paper) > 1 else paper[0]
                    ImageDraw.Draw(without).rectangle((left, top, right, bottom), fill=fill)
                yield f"row {row + 1}, column {column + 1}", Item(item.name, without)

    @property
    def _mode(self) -> str:
        return "L" if self.channels == 1 else "RGB"

    def _reduced(self, image: Image.Image) -> Image.Image:
        return reduced(upright(image, self._mode))


def _borders(x: Tensor) -> Tensor:
    """Return the pixels of the four sides of images (n, channels, size, size), (n, channels, 4 size)."""
    return torch.cat([x[:, :, 0], x[:, :, -1], x[..., 0], x[..., -1]], -1)


def _is_coloured(image: Image.Image) -> bool:
    """Return whether a tenth of the pixels, after a reduction, are clearly coloured."""
    small = np.asarray(upright(image, "RGB").resize((28, 28), Image.Resampling.BOX)).astype(int)
    return bool((np.ptp(small, axis=2) > _FAINT).mean() > 0.1)


def _planes(pixels: np.ndarray) -> np.ndarray:
    return np.atleast_3d(pixels).transpose(2, 0, 1).copy()
