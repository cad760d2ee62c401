"""How disturbed may a drawing be? Omniglot's evaluation characters, five drawings each, by the shipped weights.

Each of ~100 disturbances is done to new drawings of 5-way 5-shot tasks whose examples are clean: frames, borders,
light, scale, place, rotation, noise, JPEG, pens, paper, photographs by a phone. Accuracy, mean confidence and the share
of drawings that are warned about; with --before, beside the figures of an earlier version of the package.
"""

from __future__ import annotations

import argparse
import io
import json
import math
import warnings
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter, ImageOps

from quickstudy import ClassDataset, Classifier, Item, load
from quickstudy.classify.confidence import Confidence
from quickstudy.inputs.images import Images
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.provenance import provenance

Rng = np.random.Generator
Disturbance = Callable[[Image.Image, Rng], Image.Image]
NAME, N_WAY, N_SHOT, N_QUERY = "glyphs-proto", 5, 5, 2


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, dtype=float)


def picture(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels.round().clip(0, 255).astype(np.uint8))


def large(image: Image.Image, size: tuple[int, int] = (420, 420)) -> Image.Image:
    return image.resize(size, Image.Resampling.BICUBIC)


def noise(image: Image.Image, rng: Rng, sigma: float) -> Image.Image:
    return picture(levels(image) + rng.normal(0, sigma, np.shape(image)))


def salted(image: Image.Image, rng: Rng, share: float) -> Image.Image:
    x, chance = levels(image), rng.random(np.shape(image))
    x[chance < share] = rng.choice([0, 255], (chance < share).sum())
    return picture(x)


def jpeg(image: Image.Image, quality: int) -> Image.Image:
    content = io.BytesIO()
    image.save(content, "JPEG", quality=quality)
    return Image.open(content)


def framed(image: Image.Image, width: int, level: int = 0, inset: int = 0) -> Image.Image:
    image, (w, h) = image.copy(), image.size
    ImageDraw.Draw(image).rectangle((inset, inset, w - 1 - inset, h - 1 - inset), outline=level, width=width)
    return image


def bordered(image: Image.Image, rng: Rng, widths: tuple[int, int, int, int], level: int = 40) -> Image.Image:
    """Widths of left, top, right and bottom, turned by chance."""
    turned = tuple(np.roll(widths, rng.integers(4)).tolist())
    return ImageOps.expand(image, turned, fill=level)


def scaled(image: Image.Image, factor: float, page: int = 420, at: tuple[float, float] = (0.5, 0.5)) -> Image.Image:
    """Draw the image at a factor of a page's side; ``at`` is the place from left to right and top to bottom, 0 to 1."""
    side = round(page * factor)
    result = Image.new("L", (page, page), 255)
    place = tuple(round(share * (page - side)) for share in at)
    result.paste(image.resize((side, side), Image.Resampling.LANCZOS), place)
    return result


def on_page(image: Image.Image, size: tuple[int, int], side: int, at: tuple[float, float]) -> Image.Image:
    result = Image.new("L", size, 255)
    place = tuple(round(share * (whole - side)) for share, whole in zip(at, size, strict=True))
    result.paste(image.resize((side, side), Image.Resampling.LANCZOS), place)
    return result


def cornered(image: Image.Image, rng: Rng, factor: float) -> Image.Image:
    return scaled(image, factor, at=(float(rng.integers(2)), float(rng.integers(2))))


def tight(image: Image.Image, margin: float) -> Image.Image:
    """Crop to the ink and add a margin, in sides of the ink."""
    left, top, right, bottom = ImageOps.invert(image).getbbox()
    border = round(margin * max(right - left, bottom - top))
    return ImageOps.expand(image.crop((left, top, right, bottom)), border, fill=255)


def shifted(image: Image.Image, rng: Rng, share: float) -> Image.Image:
    """Shift by a share of the page, as far as the ink allows."""
    left, top, right, bottom = ImageOps.invert(image).getbbox()
    angle, (w, h) = rng.uniform(0, 2 * math.pi), image.size
    x = min(max(round(share * w * math.cos(angle)), -left), w - right)
    y = min(max(round(share * h * math.sin(angle)), -top), h - bottom)
    result = Image.new("L", image.size, 255)
    result.paste(image, (x, y))
    return result


def rotated(image: Image.Image, rng: Rng, degrees: float) -> Image.Image:
    sign = 1 - 2 * int(rng.integers(2))
    return large(image).rotate(sign * degrees, Image.Resampling.BICUBIC, fillcolor=255)


def toned(image: Image.Image, paper: int, ink: int) -> Image.Image:
    return picture(ink + levels(image) / 255 * (paper - ink))


def coloured(image: Image.Image, ink: str, paper: str = "white") -> Image.Image:
    return ImageOps.colorize(image, ink, paper)


def pen(image: Image.Image, filter: int) -> Image.Image:
    """Thicken (MinFilter) where positive, make thin (MaxFilter) where negative."""
    image = large(image, (315, 315))
    return image.filter(ImageFilter.MinFilter(filter) if filter > 0 else ImageFilter.MaxFilter(-filter))


def lit(image: Image.Image, light: np.ndarray) -> Image.Image:
    x = levels(image)
    return picture(x * (light if x.ndim == 2 else light[..., None]))


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


def dusty(image: Image.Image, rng: Rng, n: int, side: int, level: int = 0) -> Image.Image:
    image = image.copy()
    for x, y in rng.integers(2, np.array(image.size) - 2 - side, (n, 2)).tolist():
        ImageDraw.Draw(image).rectangle((x, y, x + side - 1, y + side - 1), fill=level)
    return image


def lined(image: Image.Image, rng: Rng, level: int, both: bool, every: int = 28, width: int = 2) -> Image.Image:
    """Lines of a notebook below the ink."""
    image = large(image)
    lines = Image.new("L", image.size, 255)
    for start in range(int(rng.integers(every)), max(image.size), every):
        ImageDraw.Draw(lines).line((0, start, image.width, start), fill=level, width=width)
        if both:
            ImageDraw.Draw(lines).line((start, 0, start, image.height), fill=level, width=width)
    return picture(np.minimum(levels(image), levels(lines)))


def dotted(image: Image.Image, rng: Rng, level: int, every: int = 28) -> Image.Image:
    image, (x, y) = large(image), rng.integers(every, size=2)
    pixels = levels(image)
    for dx, dy in ((0, 0), (0, 1), (1, 0), (1, 1)):
        cells = pixels[y + dy :: every, x + dx :: every]
        np.minimum(cells, level, out=cells)
    return picture(pixels)


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


def see_through(image: Image.Image, ink: int, clear: int = 0) -> Image.Image:
    """Ink on paper that is transparent, or partly."""
    result = Image.new("LA", image.size, (ink, 0))
    result.putalpha(picture(255 - levels(image) * (1 - clear / 255)))
    return result


def all_light(shape: tuple[int, int], rng: Rng) -> np.ndarray:
    return gradient(shape, rng, 0.6) * shadow(shape, rng, 0.6, 0.12)


def kinds() -> dict[str, Disturbance]:
    """Return the disturbances by name, as "kind: strength"."""
    soft = partial(shadow, strength=0.6, soft=0.15)
    uneven = partial(gradient, least=0.5)
    return {
        "none": lambda i, r: i,
        **{f"frame: {w} px": lambda i, r, w=w: framed(i, w) for w in (1, 2, 4, 8)},
        "frame: grey": lambda i, r: framed(i, 2, 128),
        "frame: 1 px inside the page": lambda i, r: framed(i, 1, 0, 3),
        "frame: 3 px inside the page": lambda i, r: framed(large(i), 6, 0, 8),
        "border: one side": lambda i, r: bordered(i, r, (10, 0, 0, 0)),
        "border: one side, wide": lambda i, r: bordered(i, r, (30, 0, 0, 0)),
        "border: two sides": lambda i, r: bordered(i, r, (8, 12, 0, 0)),
        "border: two sides, opposite": lambda i, r: bordered(i, r, (10, 0, 10, 0)),
        "border: three sides": lambda i, r: bordered(i, r, (12, 9, 10, 0)),
        "border: four sides": lambda i, r: bordered(i, r, (12, 9, 10, 11)),
        "border: four sides, wide": lambda i, r: bordered(i, r, (30, 30, 30, 30)),
        "border: four sides, grey": lambda i, r: bordered(i, r, (12, 9, 10, 11), 130),
        **{
            f"light: falls to {s:.2f}": lambda i, r, s=s: lit(i, gradient((105, 105), r, s))
            for s in (0.8, 0.6, 0.4, 0.25)
        },
        **{f"light: corners at {s:.2f}": lambda i, r, s=s: lit(i, vignette((105, 105), r, s)) for s in (0.7, 0.5, 0.3)},
        **{
            f"shadow: {s:.1f}": lambda i, r, s=s: lit(large(i), shadow((420, 420), r, s, 0.15)) for s in (0.8, 0.6, 0.4)
        },
        "shadow: 0.6, sharp edge": lambda i, r: lit(large(i), shadow((420, 420), r, 0.6, 0.02)),
        "shadow: of a hand, 0.6": lambda i, r: lit(large(i), hand((420, 420), r, 0.6, 0.12)),
        **{f"scale: {s:.2f}": lambda i, r, s=s: scaled(i, s) for s in (0.75, 0.6, 0.5, 0.4, 0.33, 0.25, 0.2)},
        "scale: 0.10": lambda i, r: scaled(i, 0.1, 1000),
        **{f"scale: margin {s:.2f} of the ink": lambda i, r, s=s: tight(i, s) for s in (0.0, 0.05, 0.15)},
        **{f"place: shifted by {s:.2f}": lambda i, r, s=s: shifted(i, r, s) for s in (0.1, 0.2, 0.4)},
        **{f"place: a corner, scale {s:.2f}": lambda i, r, s=s: cornered(i, r, s) for s in (0.7, 0.5, 0.3)},
        "place: wide page": lambda i, r: on_page(i, (420, 210), 210, (float(r.random()), 0.5)),
        "place: tall page": lambda i, r: on_page(i, (210, 420), 210, (0.5, float(r.random()))),
        "place: top of an A4 page": lambda i, r: on_page(i, (620, 877), 310, (0.5, 0.1)),
        **{f"rotation: {s} degrees": lambda i, r, s=s: rotated(i, r, s) for s in (3, 6, 9)},
        **{f"noise: {s} levels": lambda i, r, s=s: noise(i, r, s) for s in (5, 10, 20, 40)},
        "noise: 15 levels, large": lambda i, r: noise(large(i), r, 15),
        **{f"noise: salt and pepper {100 * s:.1f} %": lambda i, r, s=s: salted(i, r, s) for s in (0.005, 0.02, 0.05)},
        **{f"JPEG: {s}": lambda i, r, s=s: jpeg(i, s) for s in (75, 40, 20, 10)},
        "pen: thinner": lambda i, r: pen(i, -5),
        "pen: much thinner": lambda i, r: pen(i, -7),
        **{f"pen: thicker by {s - 1} of 315": lambda i, r, s=s: pen(i, s) for s in (5, 9, 13)},
        "pen: hairlines on a large page": lambda i, r: large(pen(i, -7), (1600, 1600)),
        **{f"blur: {s} px of 105": lambda i, r, s=s: i.filter(ImageFilter.GaussianBlur(s)) for s in (1, 2, 3)},
        **{
            f"contrast: {p} on {q}": lambda i, r, p=p, q=q: toned(i, q, p)
            for p, q in ((120, 180), (200, 255), (225, 255), (90, 110))
        },
        "contrast: 225 on 250, noise": lambda i, r: noise(toned(large(i), 250, 225), r, 4),
        "speck: black beside faint ink": lambda i, r: dusty(toned(i, 255, 200), r, 1, 3),
        "speck: ten beside faint ink": lambda i, r: dusty(toned(i, 255, 200), r, 10, 2),
        "speck: one": lambda i, r: dusty(i, r, 1, 3),
        "speck: ten": lambda i, r: dusty(i, r, 10, 1),
        "speck: five beside a small drawing": lambda i, r: dusty(scaled(i, 0.33), r, 5, 3),
        "paper: faint lines": lambda i, r: lined(i, r, 225, False),
        "paper: lines": lambda i, r: lined(i, r, 180, False),
        "paper: faint squares": lambda i, r: lined(i, r, 225, True),
        "paper: squares": lambda i, r: lined(i, r, 180, True),
        "paper: small squares": lambda i, r: lined(i, r, 200, True, 14, 1),
        "paper: dark lines": lambda i, r: lined(i, r, 110, False, 42),
        "paper: dots": lambda i, r: dotted(i, r, 120),
        "paper: kraft": lambda i, r: noise(coloured(large(i), "#202020", "#b58b5a"), r, 8),
        **{
            f"colour: {c}": lambda i, r, c=c: coloured(i, c)
            for c in ("#1a3faa", "#c81e1e", "#178a3a", "#f28c1b", "#f2d21b")
        },
        "colour: pencil on cream": lambda i, r: coloured(i, "#77777a", "#f4ecd8"),
        "inverted": lambda i, r: ImageOps.invert(i),
        "inverted: chalk": lambda i, r: noise(toned(large(i), 50, 190), r, 6),
        "inverted: white frame": lambda i, r: ImageOps.invert(framed(i, 2)),
        "inverted: a third as wide": lambda i, r: ImageOps.invert(scaled(i, 0.33)),
        "inverted: light falls to 0.5": lambda i, r: lit(toned(i, 60, 220), gradient((105, 105), r, 0.5)),
        "transparency: black ink": lambda i, r: see_through(i, 0),
        "transparency: grey ink": lambda i, r: see_through(i, 110),
        "transparency: paper of a half": lambda i, r: see_through(i, 0, 60),
        "table: straight": lambda i, r: on_table(large(i), r, 70),
        "table: turned by 6 degrees": lambda i, r: on_table(large(i), r, 70, 0.8, 6),
        "table: from the side": lambda i, r: on_table(large(i), r, 70, 0.8, 4, 0.05),
        "table: grey": lambda i, r: on_table(large(i), r, 140, 0.8, 4),
        "table: one or two sides": lambda i, r: on_table(large(i), r, 70, 1.0, 5),
        "table: small paper": lambda i, r: on_table(large(i, (630, 630)), r, 70, 0.5, 5),
        "table: black, paper with a frame": lambda i, r: on_table(framed(large(i), 4), r, 20, 0.8, 3),
        "phone": lambda i, r: phone(i, r),
        "phone: small drawing": lambda i, r: phone(i, r, 0.35),
        "phone: turned by 8 degrees": lambda i, r: phone(i, r, 0.6, None, False, 8),
        "phone: light falls": lambda i, r: phone(i, r, 0.6, uneven),
        "phone: shadow": lambda i, r: phone(i, r, 0.6, soft),
        "phone: shadow of the hand": lambda i, r: phone(i, r, 0.6, partial(hand, strength=0.5, soft=0.12)),
        "phone: light falls and shadow": lambda i, r: phone(i, r, 0.6, all_light),
        "phone: small drawing, light falls and shadow": lambda i, r: phone(i, r, 0.35, all_light),
        "phone: paper's edge": lambda i, r: phone(i, r, 0.6, None, True, 4),
        "phone: paper's edge, grey table": lambda i, r: phone(i, r, 0.6, None, True, 4, 130),
        "phone: paper's edge, light falls": lambda i, r: phone(i, r, 0.6, uneven, True, 4),
        "phone: paper's edge, light falls and shadow": lambda i, r: phone(i, r, 0.6, all_light, True, 7),
    }  # fmt: skip


def characters(root: Path, part: str) -> dict[str, list[bytes]]:
    """Return the PNG files of each character of one of Omniglot's archives."""
    result: dict[str, list[bytes]] = {}
    with zipfile.ZipFile(root / f"images_{part}.zip") as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".png")):
            result.setdefault(name.rpartition("/")[0], []).append(archive.read(name))
    return result


def tasks(drawings: dict[str, list[bytes]], n: int) -> Iterator[tuple[Classifier, list[tuple[Image.Image, str]]]]:
    """Yield classifiers of clean drawings, each with new drawings and their labels. Task i depends on i alone."""
    learner, confidence = load(NAME), ModelFolder(NAME).entry("confidence", Confidence)
    images, names = Images(), sorted(drawings)
    for i in range(n):
        rng = np.random.default_rng([0, i])
        support, queries = [], []
        for label in rng.choice(names, N_WAY, replace=False).tolist():
            for k, j in enumerate(rng.permutation(len(drawings[label]))[: N_SHOT + N_QUERY]):
                image = Image.open(io.BytesIO(drawings[label][j])).convert("L")
                (support if k < N_SHOT else queries).append((image, label))
        x = images.encode([Item("example", image) for image, _ in support])
        data = ClassDataset.from_labels(x, [label for _, label in support])
        yield Classifier(learner, images, data, confidence), queries


def interval(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "ci95": float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)}


def measure(
    chosen: dict[str, Disturbance], drawings: dict[str, list[bytes]], n_tasks: int
) -> dict[str, dict[str, Any]]:
    """Return accuracy (with its interval over tasks), mean confidence and share of warnings for each disturbance."""
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in chosen}
    for i, (classifier, queries) in enumerate(tasks(drawings, n_tasks)):
        for name, disturb in chosen.items():
            rng = np.random.default_rng([i, zlib.crc32(name.encode())])
            disturbed = [Item(f"{k}", disturb(image, rng)) for k, (image, _) in enumerate(queries)]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                answers = list(classifier.answer(disturbed))
            right = [answer.label == label for answer, (_, label) in zip(answers, queries, strict=True)]
            sure = [max(answer.probabilities.values()) for answer in answers]
            figures[name].append((float(np.mean(right)), float(np.mean(sure)), len(caught) / len(queries)))
    result = {}
    for name, rows in figures.items():
        right, sure, warned = zip(*rows, strict=True)
        result[name] = {
            "accuracy": interval(right),
            "confidence": float(np.mean(sure)),
            "warned": float(np.mean(warned)),
        }
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of Omniglot's archives")
    parser.add_argument("--part", choices=["background", "evaluation"], default="evaluation")
    parser.add_argument("--n-tasks", type=int, default=60)
    parser.add_argument("--only", default="", help="beginning of the names of disturbances")
    parser.add_argument("--before", type=Path, help="record of an earlier version, to print beside this one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    chosen = {name: disturb for name, disturb in kinds().items() if name.startswith(args.only)}
    rows = measure(chosen, characters(args.data_root, args.part), args.n_tasks)
    before = json.loads(args.before.read_text())["disturbances"] if args.before else {}
    for name, row in rows.items():
        if name in before:
            row["before"] = before[name]
        print(
            f"{name:48}",
            *(
                f"{100 * r['accuracy']['mean']:6.1f} ± {100 * r['accuracy']['ci95']:3.1f} % at {r['confidence']:.2f}"
                f" (warned {100 * r['warned']:3.0f} %)"
                for r in (before.get(name), row)
                if r
            ),
        )
    if args.json:
        record = {"model": NAME, "part": args.part, "n_way": N_WAY, "n_shot": N_SHOT, "seed": 0}
        record |= {"n_tasks": args.n_tasks, "queries": args.n_tasks * N_WAY * N_QUERY, "disturbances": rows}
        args.json.write_text(json.dumps(record | provenance(), indent=1) + "\n")


if __name__ == "__main__":
    main()
