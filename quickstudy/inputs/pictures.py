"""Pictures in files, uploads and arrays: what drawings and photographs have in common."""

from __future__ import annotations

import os
import warnings
from abc import abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from PIL import Image, ImageDraw
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.decode import decoded, levels, numbers, upright
from quickstudy.inputs.layout import find_classes, image_files, is_image_name, left_out

_PATCHES = 7  # number of patches per side, for ``parts``
_THUMBNAIL = 16  # pixels per side, whatever the proportions
_DECODED = 256  # pixels of the shorter side that suffice for a thumbnail; fewer would shift it


class Pictures(Inputs):
    """Base class of the kinds of input that are pictures: reads and displays them, and covers patches of them.

    Attributes:
        mode: Pillow's mode of a picture before it is encoded, "L" for grey or "RGB".
    """

    noun: ClassVar[str] = "image"
    part: ClassVar[str] = "patch"
    part_plural: ClassVar[str] = "patches"

    @property
    def mode(self) -> str:
        """Mode of a picture before it is encoded."""
        return "RGB"

    @abstractmethod
    def small(self, image: Image.Image) -> Image.Image:
        """Return a small upright image, as it is saved and displayed."""

    @abstractmethod
    def ground(self, image: Image.Image) -> tuple[int, ...]:
        """Return the colour that covers a part of an image."""

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value is a Pillow image, bytes, an array of two axes or more, or an image file's name."""
        if isinstance(value, str | Path):
            return is_image_name(value)
        return isinstance(value, Image.Image | bytes) or ((x := numbers(value)) is not None and x.ndim > 1)

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

    def items(
        self, things: Any, skip: Callable[[DataError], object] | None = None, *, singly: bool = False
    ) -> list[Item]:
        """Convert a list or array to items; the images of one array have one scale, whatever the brightness of each."""
        stack = numbers(things) if isinstance(things, np.ndarray | Tensor) else None
        scaled = None if stack is None or stack.ndim < 3 else levels(stack)
        return super().items(things if scaled is None else scaled, skip, singly=singly)

    def thumbnails(self, items: Sequence[Item]) -> np.ndarray | None:
        """Return 16 by 16 pixels of each picture, without their mean; None for features instead of pictures."""
        try:
            x = np.stack([decoded(item, self._thumbnail, _DECODED) for item in items])
        except DataError:
            return None
        x -= x.mean(1, keepdims=True)
        thumbnails: np.ndarray = x / np.linalg.norm(x, axis=1, keepdims=True).clip(1e-6)
        return thumbnails

    def _thumbnail(self, image: Image.Image) -> np.ndarray:
        small = upright(image, self.mode).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BOX)
        return np.asarray(small, dtype=np.float64).ravel()

    def caption(self, item: Item) -> str:
        """Return the file's name without its folders."""
        return Path(item.name).name

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield 7 by 7 patches, row by row, each with the image in which the patch is covered."""
        image = decoded(item, self.small)
        paper = self.ground(image)
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
