"""Resizing of pictures as Pillow does it, to the level, by torch operations that other programs can run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import PIL
import torch
from torch import Tensor

_BITS = 22  # of the fraction of Pillow's weights, for pictures of 8 bits
_ROWS_MAY_BE_FIRST = int(PIL.__version__.split(".")[0]) >= 13  # where the height shrinks by over twice the width's loss


class Filter(NamedTuple):
    """A filter of Pillow: half of its width, and its weight at a distance in pixels."""

    support: float
    weight: Callable[[Tensor], Tensor]


def _bicubic(x: Tensor) -> Tensor:
    x = x.abs()
    near = (1.5 * x - 2.5) * x * x + 1
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return torch.where(x < 1, near, torch.where(x < 2, far, torch.zeros_like(x)))


def _lanczos(x: Tensor) -> Tensor:
    inside = (x >= -3) & (x < 3)
    return torch.where(inside, _sinc(x) * _sinc(x / 3), torch.zeros_like(x))


def _sinc(x: Tensor) -> Tensor:
    angle = torch.where(x == 0, torch.ones_like(x), x) * math.pi
    return torch.where(x == 0, torch.ones_like(x), torch.sin(angle) / angle)


BOX = Filter(0.5, lambda x: ((x > -0.5) & (x <= 0.5)).to(x))
BICUBIC = Filter(2, _bicubic)
LANCZOS = Filter(3, _lanczos)


class Span(NamedTuple):
    """One side of a resized picture: its pixels, its length, and where it starts and stops in the old one."""

    pixels: Tensor
    length: Tensor
    start: Tensor
    stop: Tensor


def sides(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return height and width of an image (height, width, channels) as tensors, which a traced graph computes."""
    one = torch.ones((), dtype=torch.float64)
    return one.expand(image.shape[0]).sum(), one.expand(image.shape[1]).sum()


def whole(side: Tensor, length: int) -> Span:
    """Return the span that scales a whole side to a length."""
    return Span(torch.arange(length).double(), torch.tensor(float(length)).double(), torch.zeros_like(side), side)


def resized(image: Tensor, rows: Span, columns: Span, by: Filter) -> Tensor:
    """Return an image (height, width, channels) of levels resized, (channels, n rows, n columns) of levels, float64.

    Weights and both roundings are Pillow's, computed in float64, so that every level is the same.

    >>> pixels = torch.arange(36, dtype=torch.uint8).reshape(6, 6, 1)
    >>> resized(pixels, whole(torch.tensor(6.0).double(), 2), whole(torch.tensor(6.0).double(), 2), BOX).tolist()
    [[[7.0, 10.0], [25.0, 28.0]]]
    """
    x = image.permute(2, 0, 1).double()
    down, across = _weights(image.shape[0], rows, by), _weights(image.shape[1], columns, by).T
    result = _levels(down @ _levels(x @ across))
    if not _ROWS_MAY_BE_FIRST:
        return result
    height, width = sides(image)
    less = height - rows.length
    return torch.where((less > 0) & (less > 2 * (width - columns.length)), _levels(_levels(down @ x) @ across), result)


def _weights(n: int, span: Span, by: Filter) -> Tensor:
    """Return the weight of each of n pixels in each new one, (n new, n)."""
    start, stop = span.start.float(), span.stop.float()  # as Pillow's
    scale = (stop - start).double() / span.length
    stretch = scale.clamp(min=1)
    centre = (start.double() + (span.pixels + 0.5) * scale)[:, None]
    first = (centre - by.support * stretch + 0.5).clamp(min=0).floor()
    end = (centre + by.support * stretch + 0.5).floor()
    old = torch.arange(n).double()
    weight = by.weight((old - centre + 0.5) / stretch)
    weight = torch.where((old >= first) & (old < end), weight, torch.zeros_like(weight))
    total = weight.sum(1, keepdim=True)
    weight = weight / torch.where(total == 0, torch.ones_like(total), total)
    return torch.round(weight * float(2**_BITS)) / float(2**_BITS)


def _levels(x: Tensor) -> Tensor:
    return torch.floor(x + 0.5).clamp(0, 255)
