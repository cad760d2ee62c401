"""Framing of drawings: the drawing is cut out of its surroundings, put on even paper and cropped where it is small."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

SIDE = 224  # pixels of the longer side of the reduced image, on which everything is decided
TARGET = 0.65  # longer side of the ink, in sides of the square: the mean of the characters that the nets know
SMALL, TIGHT, OFF = 0.4, 0.9, 0.2  # ink that is smaller or larger than this, or so far off the centre, is cropped anew
_EDGE = 0.06  # least change of the logarithm of brightness per pixel that counts as an edge
_ALIKE = 0.15  # relative difference of brightness within which regions are the same paper
_WEAK = 0.3  # share of the ink's strength below which marks are paper, such as printed lines


class Framed(NamedTuple):
    """A drawing as it will be encoded.

    Attributes:
        image: The drawing: the original if it is framed well, otherwise dark ink on even white paper.
        doubt: Reason why the result may be wrong; None if there is none.
    """

    image: Image.Image
    doubt: str | None = None


class _Page(NamedTuple):
    field: np.ndarray
    inside: np.ndarray
    paper: np.ndarray
    noise: float


def frame(image: Image.Image) -> Framed:
    reduced = image.copy()
    reduced.thumbnail((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=None)
    pixels = np.atleast_3d(np.asarray(reduced, dtype=np.float32))
    grey = np.asarray(reduced.convert("L"), dtype=np.float32)
    page = _page(grey)
    if page is None:
        return Framed(image)
    field, inside = page.field, page.inside & ~page.paper
    contrast = grey / np.maximum(field, 1) - 1 if field.mean() > 64 else (grey - field) / (field + 32)
    t0 = max(0.04, 4 * page.noise)
    strong = np.where(inside & (np.abs(contrast) > t0), contrast, 0)
    dark = float((strong.clip(max=0) ** 2).sum()) >= float((strong.clip(min=0) ** 2).sum())
    ink = np.maximum(-strong if dark else strong, 0)
    if not ink.any():
        return Framed(image)
    kept, strength = _drawing(ink)
    if kept is None:
        return Framed(image)
    rows, columns = (np.flatnonzero(kept.any(axis)) for axis in (1, 0))
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    near = ndimage.binary_dilation(kept, iterations=2) & page.inside
    # Page: what is inside of the frame.
    r, c = (np.flatnonzero(page.inside.any(axis)) for axis in (1, 0))
    ptop, pbottom, pleft, pright = r[0], r[-1] + 1, c[0], c[-1] + 1
    side = max(pbottom - ptop, pright - pleft)
    length = max(bottom - top, right - left)
    off = max(abs(top + bottom - ptop - pbottom), abs(left + right - pleft - pright)) / 2 / side
    placed = SMALL <= length / side <= TIGHT and off <= OFF
    cut = not page.inside.all()
    fields = np.stack([_filled(pixels[..., k], page.paper) for k in range(pixels.shape[2])], -1)
    clean = pixels / np.maximum(fields, 1) - 1 if field.mean() > 64 else (pixels - fields) / (fields + 32)
    clean = np.where(near[..., None], np.maximum(-clean if dark else clean, 0) / strength, 0).clip(0, 1)
    doubt = _doubt(kept, page, strength)
    if placed and not cut and _same(pixels, clean):
        return Framed(image, doubt)
    if placed:
        box = (pleft, ptop, pright, pbottom)
    else:
        half = max(1, round(length / TARGET / 2))
        y, x = (top + bottom) // 2, (left + right) // 2
        box = (x - half, y - half, x + half, y + half)
    drawn = Image.fromarray(np.rint(255 * clean).astype(np.uint8).squeeze()).crop(tuple(map(int, box)))
    return Framed(Image.fromarray(255 - np.asarray(drawn)), doubt)


def _same(pixels, clean) -> bool:
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(border, axis=0)
    ink = np.maximum(paper - pixels if paper.mean() > 127 else pixels - paper, 0)
    off = np.abs(ink / max(ink.max(), 1) - clean)
    return bool(off.max() < 0.4 and off.mean() < 0.02)


def _page(grey: np.ndarray) -> _Page | None:
    logs = np.log(grey + 25)
    steps = ndimage.gaussian_gradient_magnitude(logs, 1, mode="nearest")
    smooth = steps < max(_EDGE, 4 * float(np.median(steps)))
    labels, n = ndimage.label(smooth)
    if not n:
        return None
    index = np.arange(1, n + 1)
    areas = np.bincount(labels.ravel(), minlength=n + 1)[1:]
    means = ndimage.mean(logs, labels, index)
    # Paper is the brightness that most pixels have.
    alike = np.abs(means[:, None] - means[None]) < _ALIKE if n < 2000 else np.eye(n, dtype=bool)
    group = int((alike @ areas).argmax())
    main = int(np.where(alike[group], areas, 0).argmax())
    main = _on_table(labels, areas, means, main)
    paper = labels == main + 1
    for _ in range(3):
        field = _filled(logs, paper)
        off = np.abs(ndimage.mean(logs - field, labels, index))
        grown = np.concatenate([[False], off < _ALIKE])[labels]
        if (grown | paper).sum() == paper.sum():
            break
        paper |= grown
    inside = _hull(paper, labels == main + 1)
    paper &= inside
    field = _filled(grey, paper)
    noise = float(np.abs((grey - field)[paper]).mean() * 1.25 / max(field[paper].mean(), 32))
    return _Page(field, inside, paper, noise)


def _on_table(labels, areas, means, main) -> int:
    """Return the paper if the largest region is a darker table on which paper lies."""
    total = labels.size
    for k in np.argsort(-areas)[:4]:
        if k == main or areas[k] < 0.06 * total or means[k] < means[main] + 0.2:
            continue
        region = labels == k + 1
        hull = _hull(region, region)
        if region.sum() > 0.5 * hull.sum() and ndimage.binary_fill_holes(region).sum() > 0.85 * hull.sum():
            return int(k)
    return main


def _hull(region: np.ndarray, main: np.ndarray) -> np.ndarray:
    opened = ndimage.binary_opening(region, iterations=1) | main
    y, x = np.nonzero(opened & ~ndimage.binary_erosion(opened))
    points = np.stack([x, y], 1)
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):
        return np.ones_like(region)
    mask = Image.new("1", region.shape[::-1])
    ImageDraw.Draw(mask).polygon([tuple(p) for p in corners.tolist()], fill=1, outline=1)
    return np.array(mask)


def _filled(values: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Return the paper's brightness everywhere: smoothed, and taken from the nearest paper below the ink."""
    weight = ndimage.gaussian_filter(paper.astype(np.float32), 2)
    mean = ndimage.gaussian_filter(np.where(paper, values, 0), 2) / np.maximum(weight, 1e-6)
    nearest = ndimage.distance_transform_edt(~paper, return_distances=False, return_indices=True)
    filled = mean[tuple(nearest)]
    return np.where(paper, mean, ndimage.gaussian_filter(filled, 2))


def _drawing(ink: np.ndarray):
    strength = _strength(ink)
    for _ in range(2):
        marks = ink > _WEAK * strength
        labels, n = ndimage.label(marks, np.ones((3, 3)))
        index = np.arange(1, n + 1)
        areas = np.bincount(labels.ravel(), minlength=n + 1)[1:]
        levels = ndimage.maximum(ink, labels, index)
        pen = 4 * float(ndimage.distance_transform_edt(np.pad(marks, 1))[1:-1, 1:-1][marks].mean()) - 2
        large = areas >= 0.1 * areas.max()
        mains = np.concatenate([[False], large])[labels]
        box = [np.flatnonzero(mains.any(axis))[[0, -1]] for axis in (1, 0)]
        room = 0.25 * max(b - a + 1 for a, b in box)
        centres = np.array(ndimage.center_of_mass(marks, labels, index)).reshape(-1, 2)
        close = np.all([(c >= a - room) & (c <= b + room) for (a, b), c in zip(box, centres.T, strict=True)], 0)
        keep = large | (close & (areas > 0.25 * pen**2))
        # darker specks
        rest = float(np.median(ink[marks]))
        small = areas < 0.03 * areas.sum()
        keep &= ~(small & (levels > 2 * rest))
        kept = np.concatenate([[False], keep])[labels]
        if not kept.any():
            return None, strength
        strength = _strength(np.where(kept, ink, 0))
    return kept, strength


def _strength(ink: np.ndarray) -> float:
    return float((ink**3).sum() / (ink**2).sum())


def _doubt(kept: np.ndarray, page: _Page, strength: float) -> str | None:
    if not page.inside.all() and (kept & ndimage.binary_dilation(~page.inside, iterations=2)).any():
        return "the drawing touches a frame or the edge of its paper"
    return None
