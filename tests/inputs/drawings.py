"""A drawing without symmetry, and how an image file is read."""

import io
from pathlib import Path

import numpy as np
import pillow_heif
from PIL import Image, ImageDraw

from quickstudy.inputs.base import Item
from quickstudy.inputs.images import Images

INK, COLOUR = Images(), Images(channels=3, size=16, ink=False)


def read(path: Path, images: Images) -> np.ndarray:
    """Return what ``encode`` makes of one file, (channels, size, size)."""
    return images.encode([Item(str(path), path)])[0].numpy()


def drawing(size=(105, 105), paper=255, ink=0, width=6) -> Image.Image:
    """Draw a seven: it has no symmetry, so a turn or a mirror shows."""
    image = Image.new("L", size, paper)
    w, h = size
    corners = [(0.25 * w, 0.2 * h), (0.75 * w, 0.2 * h), (0.4 * w, 0.8 * h)]
    ImageDraw.Draw(image).line(corners, fill=ink, width=width)
    return image


def close(a: np.ndarray, b: np.ndarray, levels: int = 3) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b.astype(int)).max()) <= levels


SEVEN = INK.pixels(drawing())


def heic(image: Image.Image) -> bytes:
    """Return what a HEIC file of an image holds."""
    content = io.BytesIO()
    pillow_heif.from_pillow(image).save(content, quality=95)
    return content.getvalue()


HEIC = heic(drawing().convert("RGB"))
"""The drawing as a photograph of a phone."""
