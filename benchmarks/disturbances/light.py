"""Light that falls on a page, as shares of full light, and its table and photograph by a phone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageFilter

from benchmarks.disturbances.drawn import Rng, coloured, jpeg, levels, lit, noise, picture


def gradient(shape: tuple[int, int], rng: Rng, least: float) -> np.ndarray:
    """Light that falls from 1 to the least from one side of the page to the other."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / max(shape)
    angle = rng.uniform(0, 2 * math.pi)
    along = math.cos(angle) * x + math.sin(angle) * y
    return 1 - (1 - least) * (along - along.min()) / np.ptp(along)


def vignette(shape: tuple[int, int], rng: Rng, least: float) -> np.ndarray:
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / np.reshape(shape, (2, 1, 1)) - rng.uniform(0.3, 0.7, (2, 1, 1))
    away = np.hypot(x, y)
    return 1 - (1 - least) * (away / away.max()) ** 2


def shadow(shape: tuple[int, int], rng: Rng, strength: float, soft: float) -> np.ndarray:
    """Shadow of a straight edge across the page; its soft part is a share of the page."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / np.reshape(shape, (2, 1, 1)) - 0.5
    angle = rng.uniform(0, 2 * math.pi)
    along = math.cos(angle) * x + math.sin(angle) * y + rng.uniform(-0.2, 0.2)
    return 1 - (1 - strength) / (1 + np.exp(-along / (soft / 6)))


def hand(shape: tuple[int, int], rng: Rng, strength: float, soft: float) -> np.ndarray:
    """Shadow of a round thing at a side of the page."""
    y, x = np.mgrid[0 : shape[0], 0 : shape[1]] / np.reshape(shape, (2, 1, 1))
    angle = rng.uniform(0, 2 * math.pi)
    away = np.hypot(x - 0.5 - 0.5 * math.cos(angle), y - 0.5 - 0.5 * math.sin(angle))
    return 1 - (1 - strength) / (1 + np.exp((away - 0.4) / (soft / 6)))


def all_light(shape: tuple[int, int], rng: Rng) -> np.ndarray:
    return gradient(shape, rng, 0.6) * shadow(shape, rng, 0.6, 0.12)


def table(shape: tuple[int, int], rng: Rng, level: int) -> np.ndarray:
    """Dark table with a grain along one side."""
    grain = rng.normal(0, 1, (1, shape[1])) + 0.3 * rng.normal(0, 1, shape)
    return np.asarray(level + 0.06 * level * grain)


def on_table(
    image: Image.Image, rng: Rng, level: int, share: float = 0.8, degrees: float = 0, bent: float = 0.0
) -> Image.Image:
    """Put the paper on a darker table: a share of the picture's side, turned, seen from the side (``bent``)."""
    w, h = image.size
    angle = math.radians(degrees) * (1 - 2 * int(rng.integers(2)))
    corners = share * (
        np.array([(-0.5, -0.5), (-0.5, 0.5), (0.5, 0.5), (0.5, -0.5)]) + rng.uniform(-bent, bent, (4, 2))
    )
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    target = (corners @ turn.T + 0.5) * (w, h) + rng.uniform(-0.5, 0.5, 2) * (1 - share) * 0.7 * np.array([w, h])
    rows, right = [], []
    for (x, y), (u, v) in zip(target, [(0, 0), (0, h), (w, h), (w, 0)], strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    away = np.linalg.solve(np.array(rows, float), np.array(right, float)).tolist()
    options = {"resample": Image.Resampling.BICUBIC}
    paper = image.transform((w, h), Image.Transform.PERSPECTIVE, away, fillcolor=255, **options)
    inside = Image.new("L", (w, h), 255).transform((w, h), Image.Transform.PERSPECTIVE, away, fillcolor=0, **options)
    share_of_paper = levels(inside) / 255
    wood = table((h, w), rng, level)
    if paper.mode == "RGB":
        share_of_paper, wood = share_of_paper[..., None], wood[..., None] * (1.1, 1, 0.8)
    return picture(share_of_paper * levels(paper) + (1 - share_of_paper) * wood)


def phone(
    image: Image.Image,
    rng: Rng,
    factor: float = 0.6,
    light: Callable[[tuple[int, int], Rng], np.ndarray] | None = None,
    edge: bool = False,
    degrees: float = 0,
    level: int = 70,
) -> Image.Image:
    """Photograph a drawing by a phone: 1000 x 800, cream paper, ink that is not black, blur, noise, JPEG 75."""
    page = Image.new("L", (1000, 800), 255)
    side = round(800 * factor / (0.8 if edge else 1))
    place = tuple(round((whole - side) * rng.uniform(0.35, 0.65)) for whole in page.size)
    page.paste(image.resize((side, side), Image.Resampling.BICUBIC), place)
    page = coloured(page, "#2b2b38", "#efe9dd")
    if edge:
        page = on_table(page, rng, level, 0.8, degrees, 0.03)
    elif degrees:
        page = page.rotate(degrees * (1 - 2 * int(rng.integers(2))), Image.Resampling.BICUBIC, fillcolor="#efe9dd")
    if light:
        page = lit(page, light((800, 1000), rng))
    return jpeg(noise(page.filter(ImageFilter.GaussianBlur(1.2)), rng, 5), 75)
