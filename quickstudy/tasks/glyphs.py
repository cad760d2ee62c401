"""Synthetic handwritten characters: unlimited classes that need no data, for meta-training.

A character is a few pen strokes, each a chain of cubic Bezier curves; an instance is one drawing of it. The constants
make the images similar to those of Omniglot's background alphabets at 28x28: in ink, extent and variation within
classes.
"""

from __future__ import annotations

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from quickstudy.errors import SettingError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits

Piece = tuple[complex, complex, complex, complex]
"""Control points of a cubic Bezier curve, x + iy."""

# First class of train, validation and test, and the end of all: the test does not depend on the size of train.
_STARTS = (0, 800_000, 900_000, 1_000_000)

# Standard deviations of the variation between instances; lengths are in sides of the frame.
_MAP = np.array([0.035, 0.12, 0.12, 0.4, 0.4, 0.4])[:, None]  # of the coefficients of 1, x, y, xx, xy, yy
_WOBBLE = 0.045  # of each control point
_WIDTH, _WIDTH_SPREAD = 1.35 / 28, 0.15  # stroke width, and of its logarithm
_BLUR = 0.15  # pixels
_CHUNK = 4  # instances rendered together: their data stays in a core's cache


def draw_glyphs(classes: Sequence[int] | range, per_class: int = 20, *, size: int = 28, seed: int = 0) -> ClassDataset:
    """Draw characters by number: uint8 images (n, 1, size, size), ink 255 on 0, named as ``glyph-000012``.

    Class k is a pure function of (seed, k), and its instance j of (seed, k, j); neither depends on what else is drawn.
    With size 28 the images are similar to Omniglot's; strokes grow with the size.

    Args:
        classes: Numbers of the characters, from 0, each at most once.
        per_class: Number of instances per character.
        size: Height and width of the images, pixels, 8 to 256.
        seed: Seed of the whole distribution of characters.

    Raises:
        SettingError: There is no class, a number is below 0, or the size is out of range.
        DataError: A number is given twice.

    >>> data = draw_glyphs([12, 7], per_class=3)
    >>> data.x.shape, data.names
    (torch.Size([6, 1, 28, 28]), ('glyph-000012', 'glyph-000007'))
    """
    if min(classes, default=-1) < 0 or per_class < 1 or not 8 <= size <= 256 or seed < 0:
        raise SettingError(
            f"{len(classes)} classes from number {min(classes, default=None)}, per_class={per_class}, size={size}, "
            f"seed={seed}: give at least one class, numbers from 0, per_class from 1, size in 8..256 and seed from 0"
        )
    x = np.concatenate([_instances(seed, k, per_class, size) for k in classes])
    y = torch.arange(len(classes)).repeat_interleave(per_class)
    return ClassDataset(torch.from_numpy(x[:, None]), y, tuple(f"glyph-{k:06d}" for k in classes))


def glyphs(
    sizes: tuple[int, int, int] = (600, 100, 200), per_class: int = 20, *, size: int = 28, seed: int = 0
) -> Splits:
    """Return disjoint train, validation and test sets of synthetic characters; see ``draw_glyphs``.

    The numbers of each set start from a fixed number, so the test does not depend on the size of train.

    Args:
        sizes: Numbers of classes of train, validation and test.
        per_class, size, seed: Arguments of ``draw_glyphs``.

    Raises:
        SettingError: A set has no class or too many, or ``draw_glyphs`` refuses an argument.

    >>> glyphs((2, 1, 1), per_class=1).train.names
    ('glyph-000000', 'glyph-000001')
    """
    room = tuple(np.diff(_STARTS).tolist())
    if len(sizes) != 3 or not all(1 <= n <= most for n, most in zip(sizes, room, strict=True)):
        raise SettingError(f"sizes={sizes}: give three numbers of classes, from 1 to at most {room}")
    train, validation, test = (
        draw_glyphs(range(start, start + n), per_class, size=size, seed=seed)
        for start, n in zip(_STARTS, sizes, strict=False)
    )
    return Splits(train, validation, test)


def _instances(seed: int, k: int, n: int, size: int) -> np.ndarray:
    """Draw instances 0 .. n - 1 of class k, (n, size, size) uint8."""
    rng = np.random.default_rng([seed, k])
    character = _character(rng)
    # One row per instance: row j does not depend on their number. Clipped, since an outlier would leave its class.
    noise = rng.standard_normal((n, 14 + character.size)).clip(-2.5, 2.5)  # pen, map, control points
    width, blur = noise[:, :2].T
    wobble = noise[:, 14:].reshape(n, *character.shape)
    joined = (character[1:, 0] == character[:-1, 3]).all(-1)
    wobble[:, 1:, 0][:, joined] = wobble[:, :-1, 3][:, joined]
    curves = character + _WOBBLE * wobble
    x, y = curves[..., 0], curves[..., 1]
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], -1).reshape(n, -1, 6)
    # A quadratic map near the identity rotates, stretches, slants, shifts and bends; joined curves stay joined.
    curves += (terms @ (_MAP * noise[:, 2:14].reshape(n, 6, 2))).reshape(curves.shape)
    # A Bezier curve is at most three times as fast as its longest leg, so dots are at most about 0.8 pixels apart.
    n_points = math.ceil(3 * size / 0.8 * float(np.linalg.norm(np.diff(character, axis=1), axis=-1).max()))
    width, blur = size * _WIDTH * np.exp(_WIDTH_SPREAD * width), _BLUR * blur
    parts = [slice(i, i + _CHUNK) for i in range(0, n, _CHUNK)]
    return np.concatenate([_ink((curves[i] + 0.5) * size, width[i], blur[i], n_points, size) for i in parts])


def _ink(curves: np.ndarray, width: np.ndarray, blur: np.ndarray, n_points: int, size: int) -> np.ndarray:
    """Draw curves (n, pieces, 4, 2), in pixels, with pens of given width and blur, (n,), as (n, size, size) uint8.

    A stroke is a row of Gaussian dots, as wide as a line of that width after averaging over square pixels. A Gaussian
    is a product over the axes, so the sum over all dots is one matrix product per image.
    """
    path = _bernstein(np.linspace(0, 1, n_points + 1)) @ curves
    step = np.diff(path, axis=2)
    dots = (path[:, :, 1:] - step / 2).reshape(len(curves), -1, 2, 1)
    variance = (width**2 + 1) / 12 + blur**2
    weight = np.hypot(step[..., 0], step[..., 1]).reshape(len(curves), -1) * (width / (2 * np.pi * variance))[:, None]
    offset = (dots - (np.arange(size) + 0.5)).astype(np.float32)
    near = np.exp(offset**2 * (-0.5 / variance).astype(np.float32)[:, None, None, None])
    ink = (near[:, :, 1] * weight.astype(np.float32)[..., None]).transpose(0, 2, 1) @ near[:, :, 0]
    image: np.ndarray = np.rint(255 * ink.clip(0, 1)).astype(np.uint8)
    return image


def _bernstein(t: np.ndarray) -> np.ndarray:
    """Return the weights of the four control points at times t, (n, 4)."""
    return np.stack([(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3], -1)


def _character(rng: np.random.Generator) -> np.ndarray:
    """Draw the curves of a character, centred at the origin, (pieces, 4, 2)."""
    n_strokes = 1 + int(np.searchsorted([0.18, 0.55, 0.84], rng.random()))
    written: list[Piece] = []
    for _ in range(n_strokes):
        n_pieces = 1 + int(n_strokes == 1) + int(np.searchsorted([0.5, 0.83, 0.95], rng.random()))
        written += _stroke(rng, written, n_pieces)
    pieces = np.array(written).view(float).reshape(-1, 4, 2)
    path = _bernstein(np.linspace(0, 1, 9)) @ pieces
    low, high = path.min((0, 1)), path.max((0, 1))
    side = min(max(rng.normal(0.6, 0.09), 0.35), 0.76)
    fitted: np.ndarray = (pieces - (low + high) / 2) * (side / (high - low).max())
    return fitted


def _stroke(rng: np.random.Generator, written: list[Piece], n_pieces: int) -> list[Piece]:
    """Draw a stroke, given those already written; mostly it begins on one of them, as in letters."""
    upright = rng.integers(4) * math.pi / 2 + rng.normal(0, 0.1)
    kind = rng.random()
    if written and kind < 0.12:  # a copy of an earlier piece, as in E
        shift = cmath.rect(rng.uniform(0.25, 0.5), upright)
        a, b, c, d = written[rng.integers(len(written))]
        return [(a + shift, b + shift, c + shift, d + shift)]
    pen = complex(*rng.uniform(-0.55, 0.55, 2))
    if written and kind < 0.18:
        return [_arc(pen, pen + cmath.rect(0.08, upright), 0, 0)]  # a dot
    if written and kind < 0.8:
        t = rng.choice([0, 0.5, 1, rng.random()])
        pen = complex(_bernstein(t) @ written[rng.integers(len(written))])
    heading = upright if rng.random() < 0.7 else rng.uniform(-math.pi, math.pi)
    stroke: list[Piece] = []
    for _ in range(n_pieces):
        before = written + stroke
        piece = max((_piece(rng, pen, heading) for _ in range(4)), key=lambda piece: _room(piece, before))
        if len(before) > 1 and rng.random() < 0.15:  # back to where an earlier piece ended
            goal = before[rng.integers(len(before) - 1)][3]
            bend = rng.normal(0, 0.4)
            if abs(goal - pen) > 0.15:
                piece = _arc(pen, goal, bend, bend)
        stroke.append(piece)
        pen, heading = piece[3], cmath.phase(piece[3] - piece[2])
        if rng.random() < 0.6:  # a corner
            heading += (2 * rng.integers(2) - 1) * rng.normal(1.7, 0.35)
    return stroke


def _piece(rng: np.random.Generator, pen: complex, heading: float) -> Piece:
    """Draw a curve that is straight, slightly bent, nearly a loop, or S-shaped."""
    kind, side = rng.random(), 2 * rng.integers(2) - 1
    if kind < 0.48:
        a = b = rng.normal(0, 0.07)
    elif kind < 0.9:
        a = b = side * (rng.uniform(0.3, 1.2) if kind < 0.67 else rng.uniform(1.2, 2.5))
    else:
        a = side * rng.uniform(0.4, 1.2)
        b = -a
    bend = (a + b) / 2
    length = rng.uniform(0.3, 1) * (1 + abs(bend) / 2.5)
    chord = length * math.sin(bend) / bend if bend else length
    return _arc(pen, pen + cmath.rect(chord, heading + a), a, b)


def _arc(start: complex, end: complex, a: float, b: float) -> Piece:
    """Return a curve that leaves its chord at the angle -a and meets it at b.

    Equal angles give an arc of a circle, opposite angles an S.
    """
    handle = (end - start) * 2 / 3 / (1 + math.cos((abs(a) + abs(b)) / 2))
    return start, start + handle * cmath.rect(1, -a), end - handle * cmath.rect(1, b), end


def _room(piece: Piece, written: list[Piece]) -> float:
    """Return the distance of a curve from others, minus its distance outside the page; pens prefer empty places."""
    middle = sum(piece) / 4
    free = min((abs(middle - sum(other) / 4) for other in written), default=0)
    return min(free, 0.5) - 2 * max(0, abs(piece[3]) - 0.6, abs(middle) - 0.6)


@dataclass(frozen=True)
class Glyphs(ClassSource):
    """Invented characters: as many training classes as asked for, 600 if None, 100 for validation, 200 for the test."""

    about: ClassVar[str] = "invented characters, embedded and without end"
    kind: ClassVar[type[Inputs]] = Images

    glyph_classes: int | None = None
    seed: int = 0

    def load(self) -> Loaded:
        """Draw the characters."""
        return Loaded(glyphs((self.glyph_classes or 600, 100, 200), seed=self.seed), Images())
