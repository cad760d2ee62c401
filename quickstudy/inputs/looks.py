"""Drawing or photograph? A rule of measures of an image: ink of one tone and colour, thin strokes, smooth paper."""

from __future__ import annotations

import math

import numpy as np
from PIL import Image
from scipy import ndimage

from quickstudy.inputs.decode import upright

_SIDE, _TINY, _WINDOW = 112, 28, 9  # pixels: of the image, and of the smaller one whose medians are the paper
_FLOOR = 0.02  # below it, differences of a measure do not matter
_WEAK = 0.35  # share of the ink's strength below which marks belong to the paper
LIMIT = 3  # deviations from the mean, at most, so that no measure alone decides

MEASURES: dict[str, tuple[float, float]] = {
    "tones": (1.776, 0.945),
    "strength": (-0.213, 0.739),
    "uneven": (-1.748, 1.343),
    "solid": (0.19, 0.153),
    "pen": (0.071, 0.033),
    "parts": (2.358, 1.347),
    "steps": (-2.192, 1.414),
    "slope": (-3.339, 0.541),
    "bends": (0.057, 0.076),
    "colours": (-3.454, 0.721),
    "chroma": (0.143, 0.736),
}
"""Mean and deviation of the measures; see ``measures``."""

WEIGHTS: dict[tuple[str, ...], float] = {
    ("tones",): -4.60,
    ("strength",): 0.57,
    ("uneven",): -0.03,
    ("solid",): -2.03,
    ("pen",): -0.39,
    ("parts",): -1.84,
    ("steps",): -1.51,
    ("slope",): -2.37,
    ("bends",): 0.89,
    ("colours",): -2.77,
    ("chroma",): -0.54,
    ("uneven", "solid"): 1.49,
    ("uneven", "bends"): 0.94,
    ("solid", "parts"): -2.04,
    ("pen", "steps"): 0.78,
    ("parts", "parts"): 2.08,
    ("parts", "steps"): 0.83,
    ("steps", "bends"): -1.52,
    ("slope", "bends"): -1.94,
    ("bends", "bends"): 1.82,
    (): -7.27,
}
"""Weights of standardised measures and of products of two, in the logistic rule."""


def is_drawing(image: Image.Image) -> bool:
    """Return whether an image is a drawing: ink of one colour on smooth paper, not a photograph of things.

    The image may be a phone's picture of a drawing. The rule is logistic. ``python -m benchmarks.looks --fit``
    fitted its weights on one half of the classes of photographs and drawings; its errors were measured on the other.

    >>> from PIL import ImageDraw
    >>> page = Image.new("L", (100, 100), "white")
    >>> ImageDraw.Draw(page).line((20, 20, 80, 80), "black", 5)
    >>> is_drawing(page)
    True
    """
    return decide(measures(image))


def decide(values: np.ndarray) -> bool:
    """Return whether an image with such measures is a drawing."""
    means, deviations = np.transpose(list(MEASURES.values()))
    terms = dict(zip(MEASURES, ((values - means) / deviations).clip(-LIMIT, LIMIT).tolist(), strict=True))
    return bool(sum(weight * math.prod(terms[name] for name in names) for names, weight in WEIGHTS.items()) > 0)


def measures(image: Image.Image) -> np.ndarray:
    """Return what the rule looks at, (11,).

    Contrast is the difference from the paper, relative to its brightness. The paper is the median of a
    neighbourhood, so it follows the light and a shadow. The ink is the contrast of the sign that has more of it.
    """
    image = _within(upright(image, "RGB"), _SIDE)
    tiny = ndimage.median_filter(np.asarray(_within(image, _TINY), np.float32), (_WINDOW, _WINDOW, 1), mode="nearest")
    levels = Image.fromarray(np.rint(tiny).astype(np.uint8)).resize(image.size, Image.Resampling.BILINEAR)
    pixels, paper, ground = np.asarray(image, np.float32), np.asarray(levels, np.float32), tiny.mean(2)
    contrast = ((pixels - paper) / (paper.clip(32) if paper.mean() > 64 else paper + 48)).mean(2)
    if np.square(contrast.clip(max=0)).sum() >= np.square(contrast.clip(min=0)).sum():
        contrast = -contrast
    ink = contrast.clip(0)
    strength = float((ink**3).sum() / max(float((ink**2).sum()), 1e-9)) + 1e-6
    ink /= strength
    marks = ink > _WEAK
    peaks, core = ink[marks & (ink == ndimage.maximum_filter(ink, 3))], ink[ndimage.minimum_filter(marks, 3)]
    depths = ndimage.distance_transform_edt(np.pad(marks, 1))[1:-1, 1:-1][marks]
    length = max((np.ptp(np.flatnonzero(marks.any(axis))) + 1 for axis in (0, 1) if marks.any()), default=1)
    shares = np.histogram(contrast / strength, 40, (-2, 2))[0] / contrast.size
    colours = pixels.reshape(-1, 3)
    variances = np.linalg.eigvalsh(np.cov(colours.T, bias=True))
    chroma = colours - colours.mean(1, keepdims=True)
    step = strength * float(np.median(paper.mean(2))) + 1  # from paper to ink, levels
    bright = ground.mean() + 16
    values = {
        "tones": -float((shares * np.log(shares + 1e-9)).sum()),  # entropy of the contrast
        "strength": np.log(strength + _FLOOR),
        "uneven": np.log((peaks.std() / peaks.mean() if len(peaks) > 1 else 0) + _FLOOR),  # ink of thin strokes
        "solid": core.std() if len(core) > 3 else 0,  # ink of areas
        "pen": (4 * depths.mean() - 2) / length if len(depths) else 0,  # thickness of strokes
        "parts": np.log(ndimage.label(marks, np.ones((3, 3)))[1] + 1),
        "steps": np.log(np.percentile(_steps(pixels.mean(2)), 75) / step + _FLOOR),  # edges, and noise
        "slope": np.log(np.median(_steps(ground)) / bright + _FLOOR),  # of the paper
        "bends": np.percentile(np.abs(ndimage.laplace(ground)), 75) / bright,  # of the paper
        "colours": np.log(variances[:2].sum() / max(variances.sum(), 1e-9) + _FLOOR),  # off the line paper to ink
        "chroma": np.sqrt(np.square(chroma - np.median(chroma, 0)).mean()) / step,
    }
    return np.array([values[name] for name in MEASURES])


def _within(image: Image.Image, side: int) -> Image.Image:
    """Return the image with at most so many pixels on its longer side, each the mean of those that it covers."""
    scale = side / max(image.size)
    if scale >= 1:
        return image
    return image.resize([max(1, round(length * scale)) for length in image.size], Image.Resampling.BOX)


def _steps(grey: np.ndarray) -> np.ndarray:
    """Return the change per pixel."""
    steps: np.ndarray = np.hypot(ndimage.sobel(grey, 0), ndimage.sobel(grey, 1)) / 8
    return steps
