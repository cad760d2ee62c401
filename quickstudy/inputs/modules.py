"""Encoding of pictures as torch modules, which can be written into files for programs without this package."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.inputs.photo_encoder import PhotoEncoder
from quickstudy.inputs.resampling import BICUBIC, BOX, LANCZOS, Span, resized, sides, whole

_LUMA = (19595, 38470, 7471)  # ITU-R 601 in 65536ths, as Pillow converts to grey


class PictureModule(nn.Module):
    """Module from one picture (height, width, 3), RGB, uint8, to the input of a net, (1, *shape).

    Attributes:
        limits: Parts of the encoding that the module leaves out, in words; None for no part.
    """

    limits: str | None = None


class PhotoModule(PictureModule):
    """Features of a photograph by a frozen encoder that is prepared as ``PhotoEncoder.prepared`` does.

    Args:
        encoder: The encoder.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, encoder: PhotoEncoder) -> None:
        super().__init__()
        self.net, self.encoder = encoder.net, encoder
        for name, values in (("mean", encoder.mean), ("std", encoder.std)):
            self.register_buffer(name, torch.tensor(values).view(3, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        """Return the features, (1, width), of length 1."""
        both = sides(image)
        scale = _number(self.encoder.size + self.encoder.margin) / torch.minimum(*both)
        rows, columns = (self._cut(side, scale) for side in both)
        x = resized(image, rows, columns, BICUBIC)[None]
        return F.normalize(self.encoder.features((x.float() / 255 - self.mean) / self.std).float())

    def _cut(self, side: Tensor, scale: Tensor) -> Span:
        """Return the part of a side that is scaled to the size of the net."""
        size = self.encoder.size
        length = torch.round(side * scale).clamp(min=size)
        per_pixel, start = side / length, (length - size) / 2
        return whole(side, size)._replace(start=start * per_pixel, stop=(start + size) * per_pixel)


class ImageModule(PictureModule):
    """An image of one size as ``Images.pixels`` makes it, in [0, 1]; a drawing is not cut out of its surroundings.

    Args:
        channels, size, ink: The attributes of ``Images``.
        faint: Levels of difference from the paper below which none is raised to full ink.
    """

    def __init__(self, channels: int, size: int, *, ink: bool, faint: int) -> None:
        super().__init__()
        self.channels, self.size, self.ink, self.faint = channels, size, ink, faint
        if ink:
            self.limits = (
                f"A drawing is not cut out of its surroundings. The answer is that of quickstudy for drawings that "
                f"need no cut: on even paper, without a frame, near the centre, with a longer side of 40 to 85 % of "
                f"the page; and for any picture of at most {size} x {size} pixels."
            )

    def forward(self, image: Tensor) -> Tensor:
        """Return the encoded image, (1, channels, size, size)."""
        if self.channels == 1:
            sums = (image.long() * torch.tensor(_LUMA)).sum(2, keepdim=True)
            image = (sums + 32768) // 65536
        x = self._drawn(image) if self.ink else self._stretched(image)
        return (x / 255).float()[None]

    def _stretched(self, image: Tensor) -> Tensor:
        height, width = sides(image)
        return resized(image, whole(height, self.size), whole(width, self.size), LANCZOS)

    def _drawn(self, image: Tensor) -> Tensor:
        size, both = self.size, sides(image)
        height, width = both
        border = torch.cat([image[0], image[-1], image[:, 0], image[:, -1]]).double().sort(0).values
        middle = (height + width).long()  # of 2 (height + width) pixels
        paper = torch.stack([border.index_select(0, middle[None] - k) for k in (0, 1)]).mean(0).view(-1, 1, 1)
        light = paper.mean() > 127
        flat = image.double().flatten(0, 1)
        strongest = torch.where(light, paper[:, 0, 0] - flat.amin(0), flat.amax(0) - paper[:, 0, 0]).max()
        rows, columns = (self._centred(side, torch.maximum(*both)) for side in both)
        small = resized(image, rows, columns, BOX)
        on = _within(rows)[:, None] & _within(columns)
        ink = torch.where(on, torch.where(light, paper - small, small - paper).clamp(min=0), torch.zeros_like(small))
        ink = ink * (_number(255) / torch.minimum(strongest, 2 * ink.max()).clamp(min=self.faint))
        drawn = torch.round(ink).clamp(0, 255)
        is_encoded = (height == size) & (width == size) & (paper == 0).all()
        return torch.where(is_encoded, small, drawn)

    def _centred(self, side: Tensor, longer: Tensor) -> Span:
        """Return a side reduced with the longer one to the size of the net, as pixels of a centred square."""
        size = self.size
        length = torch.round(side * size / longer).clamp(min=1)
        return whole(side, size)._replace(pixels=torch.arange(size) - ((size - length) / 2).floor(), length=length)


def _within(span: Span) -> Tensor:
    return (span.pixels >= 0) & (span.pixels < span.length)


def _number(value: float) -> Tensor:
    """Return a number as a tensor, since torch multiplies a number by the reciprocal of a tensor that divides it."""
    return torch.tensor(float(value), dtype=torch.float64)
