"""What may happen to a drawing: noise, frames, scale, place, pens, paper, colours. Functions of a picture."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Rng = np.random.Generator


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


def see_through(image: Image.Image, ink: int, clear: int = 0) -> Image.Image:
    """Ink on paper that is transparent, or partly."""
    result = Image.new("LA", image.size, (ink, 0))
    result.putalpha(picture(255 - levels(image) * (1 - clear / 255)))
    return result
