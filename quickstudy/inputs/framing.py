"""Framing of drawings: a drawing is cut out of its surroundings, put on even paper, and cropped where it is small."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError

SIDE = 224
"""Pixels of the longer side of the reduced image, on which everything is decided."""

SMALL, TIGHT, OFF, TARGET = 0.4, 0.85, 0.16, 0.65
"""A drawing is cropped where its longer side is under or over these shares of the page, or its centre is off by more.

Cropped, its longer side is the last share of a square. That is the mean of the characters that ``glyphs-proto`` knows.
"""

_PEN = 0.07  # share of the square; no drawing is enlarged so much that its pen becomes thicker
_EDGE = 0.035  # change of the logarithm of brightness per pixel from which on a place is not plain paper
_ALIKE = 0.15  # difference of that logarithm up to which regions may be the same paper
_SAME = 0.08  # the same for a region and the paper that surrounds it
_WEAK = 0.35  # share of the ink's strength below which marks belong to the paper, such as printed lines
_OPEN = np.ones((3, 3))  # pixels that meet at a corner are connected

Box = tuple[int, int, int, int]
"""Left, top, right and bottom, as in Pillow."""


class Framed(NamedTuple):
    """A drawing as it will be encoded.

    Attributes:
        image: The original if it is framed well. Otherwise dark ink on even white paper.
        doubt: Reason why the result may be wrong, or None.
    """

    image: Image.Image
    doubt: str | None = None


class _Page(NamedTuple):
    """Paper of an image: where it lies, where it is free of marks, and its noise relative to its brightness."""

    inside: np.ndarray
    free: np.ndarray
    noise: float


def reduced(image: Image.Image) -> Image.Image:
    """Return the image with at most 224 pixels on its longer side, each the mean of those that it covers."""
    scale = SIDE / max(image.size)
    if scale >= 1:
        return image.copy()
    return image.resize([max(1, round(side * scale)) for side in image.size], Image.Resampling.BOX)


def paper_of(image: Image.Image) -> np.ndarray:
    """Return the median colour of the four sides, (channels,)."""
    w, h = image.size
    sides = [(0, 0, w, 1), (0, h - 1, w, h), (0, 0, 1, h), (w - 1, 0, w, h)]
    channels = len(image.getbands())
    border = np.concatenate([np.asarray(image.crop(side)).reshape(-1, channels) for side in sides])
    paper: np.ndarray = np.median(border, axis=0)
    return paper


def frame(image: Image.Image) -> Framed:
    """Cut a drawing out of its surroundings, put it on even paper, and crop it where it is small or off the centre.

    A drawing that is framed well is returned as it is. Its paper is even and reaches the border, and its ink has the
    usual size and is near the centre.

    >>> page = Image.new("L", (200, 200), "white")
    >>> ImageDraw.Draw(page).line((20, 20, 60, 60), "black", 5)
    >>> frame(page).image.size < page.size
    True
    """
    small = reduced(image)
    pixels = np.atleast_3d(np.asarray(small, dtype=np.float32))
    plain = _by_the_border(pixels, paper_of(small))
    if _is_clean(plain):
        return Framed(image)
    plain = plain.clip(min=0)
    page = _page(np.asarray(small.convert("L"), dtype=np.float32))
    if page is None:
        return Framed(image)
    ink = _ink(pixels, page)
    drawing = _drawing(ink.max(2), page)
    if drawing is None:
        return Framed(image)
    marked, strength = drawing
    doubt = _doubt(marked, strength, page)
    near = _widened(marked) & page.inside
    clean = np.where(near[..., None], ink / strength, 0).clip(0, 1)
    paper, box = _box(page.inside), _box(marked)
    placed = _is_placed(box, paper)
    if placed and page.inside.all() and np.abs(plain - clean).max() < 0.4 and np.abs(plain - clean).mean() < 0.02:
        return Framed(image, doubt)
    drawn = Image.fromarray(255 - np.rint(255 * clean).astype(np.uint8).squeeze())
    return Framed(_cropped(drawn, paper if placed else _square(box, _pen(marked))), doubt)


def _by_the_border(pixels: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Return the difference from the border's colour, 1 at most, (height, width, channels)."""
    ink = paper - pixels if paper.mean() > 127 else pixels - paper
    scaled: np.ndarray = ink / max(float(ink.max()), 1)
    return scaled


def _is_clean(plain: np.ndarray) -> bool:
    """Return whether an image is plainly a drawing that is framed well; cheap, since most are."""
    ink = plain.max(2)
    marks = ink > _WEAK
    share = marks.mean()
    border = max(ink[0].max(), ink[-1].max(), ink[:, 0].max(), ink[:, -1].max())
    if plain.min() < -0.1 or not 0.003 < share < 0.3 or border >= 0.1:
        return False
    beside = ~_widened(marks)  # further from the ink than its soft edges
    box = left, top, right, bottom = _box(marks)
    if ((ink > 0.08) & beside).mean() >= 0.3 * share or not _is_placed(box, (0, 0, *ink.shape[::-1])):
        return False
    thick = max(3, max(marks.shape) // 4)
    marks = marks[top:bottom, left:right]
    filled = ndimage.uniform_filter(marks.astype(np.float32), thick, mode="constant")  # share of the square around it
    if filled.max() > 0.99:
        return False
    _, areas = _labels(marks)
    return bool(areas.min() >= 0.1 * areas.max())


def _page(grey: np.ndarray) -> _Page | None:
    """Find the paper: regions without edges, of the brightness that most of the image has, and their convex hull."""
    logs = np.log(grey + 25)
    steps = ndimage.gaussian_gradient_magnitude(logs, 1, mode="nearest")
    labels, n = ndimage.label(steps < max(_EDGE, 4 * float(np.median(steps))))
    if not n:
        return None
    areas, index = np.bincount(labels.ravel(), minlength=n + 1)[1:], np.arange(1, n + 1)
    means = ndimage.mean(logs, labels, index)
    group = max(np.argsort(-areas)[:20], key=lambda k: areas[np.abs(means - means[k]) < _ALIKE].sum())
    main = int(np.where(np.abs(means - means[group]) < _ALIKE, areas, 0).argmax())
    for k in np.argsort(-areas)[:4]:  # a sheet on a darker table that is larger
        if areas[k] > 0.06 * grey.size and means[k] > means[main] + 0.2 and _is_written(labels == k + 1, logs):
            main = int(k)
            break
    free = labels == main + 1
    for k in np.argsort(-areas)[:6]:  # parts of the paper in a shadow with a sharp edge
        if areas[k] > 0.05 * grey.size and abs(means[k] - means[main]) < 1 and _is_written(labels == k + 1, logs):
            free |= labels == k + 1
    for _ in range(3):
        off = np.abs(ndimage.mean(logs - _filled(logs, free), labels, index))
        free, before = free | np.concatenate([[False], off < _SAME])[labels], free
        if (free == before).all():
            break
    inside = _inside(free, labels == main + 1, grey)
    free &= inside
    field = _filled(grey, free)
    return _Page(inside, free, float(1.25 * np.abs(grey - field)[free].mean() / max(field[free].mean(), 32)))


def _is_written(region: np.ndarray, logs: np.ndarray) -> bool:
    """Return whether a region is compact and has dark marks in it."""
    hull = _hull(region)
    marks = hull & ~region & (logs < logs[region].mean() - 0.3)
    return bool(region.sum() > 0.6 * hull.sum() and marks.sum() > 0.01 * hull.sum())


def _inside(free: np.ndarray, main: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Return where the paper lies: the convex hull of its free parts, and what touches the border without lining it."""
    hull = _hull(ndimage.binary_opening(free) | main)
    labels, n = ndimage.label(~hull)
    edges = (0, slice(None)), (-1, slice(None)), (slice(None), 0), (slice(None), -1)
    paper = float(np.median(grey[free]))
    marks = np.abs(grey - paper) > 0.3 * max(paper, 64)
    inside = hull.copy()
    for k in range(1, n + 1):
        outer = labels == k
        rim = _widened(outer) & hull & ~free
        lines = max((outer & marks)[edge].mean() for edge in edges)
        if lines < 0.5 and outer.mean() < 0.1 and (rim & marks).sum() > 2:
            inside |= outer
    return inside


def _hull(region: np.ndarray) -> np.ndarray:
    rim = region & ~ndimage.binary_erosion(region)
    points = np.argwhere(rim)[:, ::-1]
    try:
        corners = points[ConvexHull(points).vertices]
    except (QhullError, ValueError):  # points on one line
        return np.ones_like(region)
    mask = Image.new("1", region.shape[::-1])
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners.tolist()], fill=1, outline=1)
    return np.array(mask)


def _filled(values: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return the paper's brightness everywhere; below marks it is that of the nearest free paper."""
    weight = ndimage.gaussian_filter(free.astype(np.float32), 2)
    mean = ndimage.gaussian_filter(np.where(free, values, 0), 2) / np.maximum(weight, 1e-6)
    nearest = ndimage.distance_transform_edt(~free, return_distances=False, return_indices=True)
    filled: np.ndarray = np.where(free, mean, ndimage.gaussian_filter(mean[tuple(nearest)], 2))
    return filled


def _ink(pixels: np.ndarray, page: _Page) -> np.ndarray:
    """Return the contrast to the paper, of the sign that has more of it, (height, width, channels)."""
    planes = [pixels[..., k] for k in range(pixels.shape[2])]
    field = np.stack([_filled(plane, page.free) for plane in planes], -1)
    contrast = (pixels - field) / (field if field.mean() > 64 else field + 32).clip(1)
    marked = (page.inside & ~page.free)[..., None] & (np.abs(contrast) > max(0.04, 4 * page.noise))
    contrast = np.where(marked, contrast, 0)
    dark = np.square(contrast.clip(max=0)).sum() >= np.square(contrast.clip(min=0)).sum()
    ink: np.ndarray = np.maximum(-contrast if dark else contrast, 0)
    return ink


def _drawing(ink: np.ndarray, page: _Page) -> tuple[np.ndarray, float] | None:
    """Return where the drawing's marks are and how strong its ink is, without lines of the paper and dust."""
    if not ink.any():
        return None
    ink = _unlined(ink, page)
    labels, areas = _labels(ink > 0)
    strength = _strength(np.where(_chosen(labels, areas >= 0.1 * areas.max()), ink, 0))  # that of specks is another
    for _ in range(2):  # the second time by the strength of the ink without dark specks
        marks = ink > _WEAK * strength
        labels, areas = _labels(marks)
        index = np.arange(1, len(areas) + 1)
        drawn = ~_rules(labels, areas, page)
        if not drawn.any():
            return None
        large = drawn & (areas >= 0.1 * areas[drawn].max())
        left, top, right, bottom = _box(_chosen(labels, large))
        room = 0.3 * max(right - left, bottom - top)
        y, x = np.reshape(ndimage.center_of_mass(marks, labels, index), (-1, 2)).T
        close = (x > left - room) & (x < right + room) & (y > top - room) & (y < bottom + room)
        dust = areas < 0.25 * _pen(_chosen(labels, large)) ** 2
        darker = ndimage.maximum(ink, labels, index) > 2 * np.median(ink[marks])
        marked = _chosen(labels, drawn & (large | (close & ~dust)) & ~(darker & (areas < 0.03 * areas.sum())))
        if not marked.any():
            return None
        strength = _strength(np.where(marked, ink, 0))
    return marked, strength


def _unlined(ink: np.ndarray, page: _Page) -> np.ndarray:
    """Return ink without printed lines: two or more straight ones along the whole page."""
    for _ in range(2):
        marks = ink > 0.3 * _strength(ink)
        lined = (marks & page.inside).sum(1) > 0.85 * page.inside.sum(1).clip(1)
        if ndimage.label(lined)[1] > 1:
            between = ~ndimage.binary_dilation(lined)
            if between.any():
                rows = np.flatnonzero(between)
                place = np.arange(len(ink))
                above = rows[(np.searchsorted(rows, place, "right") - 1).clip(0)]
                below = rows[np.searchsorted(rows, place).clip(max=len(rows) - 1)]
                ink = np.where(between[:, None], ink, np.minimum(ink[above], ink[below]))
        ink, page = ink.T, _Page(page.inside.T, page.free.T, page.noise)
    return ink


def _rules(labels: np.ndarray, areas: np.ndarray, page: _Page) -> np.ndarray:
    """Return which marks are frames: they line the four sides of a box that holds other marks and most of the page."""
    result = np.zeros(len(areas), bool)
    for k, (rows, columns) in enumerate(ndimage.find_objects(labels)):
        mark = labels[rows, columns] == k + 1
        if mark.size < 0.6 * page.inside.sum() or areas[k] == areas.sum():
            continue
        band = [max(2, side // 20) for side in mark.shape]
        sides = mark[: band[0]].any(0), mark[-band[0] :].any(0), mark[:, : band[1]].any(1), mark[:, -band[1] :].any(1)
        result[k] = min(side.mean() for side in sides) > 0.9
    return result


def _widened(marks: np.ndarray) -> np.ndarray:
    """Return marks and all pixels that are at most two from them; much faster than ``binary_dilation``."""
    for _ in range(2):  # down the columns, then along the rows
        padded = np.pad(marks, ((2, 2), (0, 0)))
        marks = (padded[:-4] | padded[1:-3] | padded[2:-2] | padded[3:-1] | padded[4:]).T
    return marks


def _labels(marks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    labels, n = ndimage.label(marks, _OPEN)
    return labels, np.bincount(labels.ravel(), minlength=n + 1)[1:]


def _chosen(labels: np.ndarray, which: np.ndarray) -> np.ndarray:
    result: np.ndarray = np.concatenate([[False], which])[labels]
    return result


def _strength(ink: np.ndarray) -> float:
    """Return the mean of the ink, weighted by its square, so that the edges of strokes count little."""
    return float((ink**3).sum() / max(float((ink**2).sum()), 1e-9))


def _pen(marks: np.ndarray) -> float:
    """Return the mean thickness of strokes, pixels."""
    depths = ndimage.distance_transform_edt(np.pad(marks, 1))[1:-1, 1:-1][marks]
    return max(1.0, 4 * float(depths.mean()) - 2)


def _box(marks: np.ndarray) -> Box:
    rows, columns = (np.flatnonzero(marks.any(axis)) for axis in (1, 0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def _is_placed(box: Box, page: Box) -> bool:
    side = max(page[2] - page[0], page[3] - page[1])
    length = max(box[2] - box[0], box[3] - box[1])
    off = max(abs(box[k] + box[k + 2] - page[k] - page[k + 2]) / 2 for k in (0, 1))
    return SMALL * side <= length <= TIGHT * side and off <= OFF * side


def _square(box: Box, pen: float) -> Box:
    """Return a square around a box, with the usual margin, or more where the pen would become too thick."""
    left, top, right, bottom = box
    side = max(1, round(max(max(right - left, bottom - top) / TARGET, pen / _PEN)))
    x, y = (left + right - side) // 2, (top + bottom - side) // 2
    return x, y, x + side, y + side


def _cropped(image: Image.Image, box: Box) -> Image.Image:
    """Return a part of an image; what lies outside of the image is white."""
    result = Image.new(image.mode, (box[2] - box[0], box[3] - box[1]), "white")
    result.paste(image, (-box[0], -box[1]))
    return result


def _doubt(marked: np.ndarray, strength: float, page: _Page) -> str | None:
    """Return why the drawing may not be what people see; None if nothing says so."""
    cut = ~page.inside
    if (marked & _widened(cut)).any():
        return "the drawing touches a frame or the edge of its paper, and may be cut"
    left, top, right, bottom = _box(marked)
    if max(right - left, bottom - top) < 3 * _pen(marked):
        return "the drawing is hardly more than a dot"
    if page.inside.mean() < 0.12:
        return "most of the picture is not paper"
    _, areas = _labels(marked)
    if len(areas) > 15 or marked.sum() > 0.5 * page.inside.sum():
        return "the drawing cannot be distinguished from its paper"
    if strength < 6 * page.noise:
        return "the ink is hardly stronger than the noise of the paper"
    return None
