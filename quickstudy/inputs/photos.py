"""Photographs, as features of a frozen encoder that was trained elsewhere."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs.base import Item, Seen
from quickstudy.inputs.decode import decoded, png, upright
from quickstudy.inputs.encoders import full_name, photo_encoder
from quickstudy.inputs.framing import SIDE
from quickstudy.inputs.frozen import Encoded
from quickstudy.inputs.layout import is_image_name
from quickstudy.inputs.looks import is_drawing
from quickstudy.inputs.modules import PhotoModule
from quickstudy.inputs.photo_encoder import EFFICIENTNET, PhotoEncoder
from quickstudy.inputs.pictures import Pictures

_KEPT = 384  # pixels of the longer side of a saved copy
_QUALITY = 90
_AT_ONCE = 16
_SAMPLE = 15  # pictures that decide what all are


@dataclass(frozen=True)
class Photos(Encoded, Pictures):
    """Photographs as features of length 1 by a frozen encoder.

    Attributes:
        encoder: Name of the encoder (see ``photo_encoder``).
        width: Number of its features.
        sha256: Checksum of its weights; None if unknown.
        revision: Revision of a model of the Hub; None for others.

    >>> Photos().shape
    (1280,)
    """

    encoder: str = EFFICIENTNET
    width: int = 1280
    sha256: str | None = field(default=None, compare=False)
    revision: str | None = field(default=None, compare=False)

    model: ClassVar[str | None] = "efficientnet-r2d2"
    head: ClassVar[str] = "r2d2"
    copies_within: ClassVar[float] = 0.15  # measured: benchmarks/copies.py

    @classmethod
    def encoded_by(cls, encoder: str = EFFICIENTNET, *, download: bool = False) -> Photos:
        """Return photographs for an encoder, with the checksum of its weights.

        Raises:
            SettingError: The encoder is not there.
        """
        net = photo_encoder(encoder, download=download)
        return cls(full_name(encoder), net.width, net.sha256, net.revision)

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value is a picture that looks like a photograph."""
        return super().takes(value) and _are_photographs([Item("image", value)])

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Return whether the source is a folder of pictures, most of which look like photographs."""
        return super().recognises(source) and _are_photographs([Item(str(path), path) for path in _files(source)])

    @property
    def words(self) -> str:
        """Words for these inputs in messages."""
        return f"photographs by {self.encoder}"

    @property
    def recipe(self) -> str:
        """Description of how one photograph is made."""
        net = photo_encoder(self.encoder)
        mean, std = (", ".join(f"{255 * value:.4g}" for value in values) for values in (net.mean, net.std))
        return (
            f"Turn upright by EXIF, put on white where transparent (on black if all pixels of alpha above 127 are "
            f"lighter than 127), convert to red, green and blue, 8 bits. Scale by Pillow's BICUBIC filter until the "
            f"shorter side has {net.size + net.margin} pixels, and take the central {net.size} x {net.size}. Subtract "
            f"({mean}) and divide by ({std}). Embed by {self.encoder}, SHA-256 of its weights {net.sha256}, and divide "
            f"by the length."
        )

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return features, (n, width).

        Raises:
            ModelError: The weights of the encoder on this machine differ from those that the model was made with.
        """
        net, rows = self._checked(), []
        for start in range(0, len(items), _AT_ONCE):
            of = items[start : start + _AT_ONCE]
            rows.append(net.embed([decoded(item, lambda i: net.prepared(upright(i, "RGB")), net.size) for item in of]))
        return torch.cat(rows) if rows else torch.empty(0, *self.shape)

    def seen(self, item: Item) -> Seen:
        """Return the part of a photograph that the encoder sees; its mean colour is the ground."""
        net = self._checked()
        pixels = decoded(item, lambda image: net.prepared(upright(image, "RGB")), net.size)
        x = torch.tensor(pixels).permute(2, 0, 1)[None].float() / 255
        return Seen(x, x.mean((2, 3), keepdim=True).expand_as(x), net.of_pixels)

    def module(self) -> PhotoModule | None:
        """Return the encoding of one picture as a module; None for an encoder that prepares photographs by itself."""
        net = self._checked()
        own = any(getattr(type(net), name) is not getattr(PhotoEncoder, name) for name in ("prepared", "embed"))
        return None if own else PhotoModule(net)

    def _checked(self) -> PhotoEncoder:
        net = photo_encoder(self.encoder)
        self.check_weights(net.sha256)
        return net

    def small(self, image: Image.Image) -> Image.Image:
        """Return an upright image with at most 384 pixels on its longer side."""
        image = upright(image, self.mode)
        scale = min(1, _KEPT / max(image.size))
        width, height = (max(1, round(side * scale)) for side in image.size)
        return image.resize((width, height), Image.Resampling.BICUBIC)

    def ground(self, image: Image.Image) -> tuple[int, ...]:
        """Return the mean colour."""
        return tuple(int(level) for level in np.asarray(image).mean((0, 1)).round())

    def keep(self, item: Item) -> bytes:
        """Return the photograph as a JPEG file, with at most 384 pixels on its longer side."""
        if isinstance(item.value, bytes) and decoded(item, _is_copy):
            return item.value
        content = io.BytesIO()
        decoded(item, self.small, _KEPT).save(content, "JPEG", quality=_QUALITY)
        return content.getvalue()

    def picture(self, item: Item) -> bytes:
        """Return the photograph as a PNG file, with at most 384 pixels on its longer side."""
        return png(decoded(item, self.small, _KEPT))


def _files(folder: Path) -> list[Path]:
    paths = sorted(Path(place, name) for place, _, names in os.walk(folder) for name in names if is_image_name(name))
    return [paths[i * len(paths) // _SAMPLE] for i in range(_SAMPLE)] if len(paths) > _SAMPLE else paths


def _are_photographs(items: Sequence[Item]) -> bool:
    """Return whether most of some pictures look like photographs; those that cannot be read do not count."""
    votes = []
    for item in items:
        with suppress(DataError):
            votes.append(not decoded(item, lambda image: is_drawing(upright(image, "RGB")), SIDE))
    return 2 * sum(votes) > len(votes)


def _is_copy(image: Image.Image) -> bool:
    """Return whether an image is what ``keep`` writes: a small JPEG file without metadata."""
    return image.format == "JPEG" and image.mode == "RGB" and max(image.size) <= _KEPT and not image.getexif()
