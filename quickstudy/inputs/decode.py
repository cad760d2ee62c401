"""Decoding of images from files, uploads, Pillow images and arrays of any mode: upright and on white."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs.base import Item

T = TypeVar("T")
_MAX_PIXELS, _MAX_SIDE = 16_000_000, 65_535
_STRIP = 2**18  # pixels converted at a time


def decoded(item: Item, use: Callable[[Image.Image], T]) -> T:
    """Return the result of a function of an item's image, called while its file is open.

    Of an image with several frames, only the first is read.

    Args:
        item: Its value is the path or the bytes of a PNG, JPEG or WebP file, a Pillow image, or an array. Arrays are
            (height, width), (height, width, 3 or 4) or (1 or 3, height, width), uint8 or real numbers from 0 to 1.
        use: Function of the Pillow image.

    Raises:
        DataError: The image is missing, damaged or of another format, or has more than 16 million pixels or 65,535
            per side. An image that is too large is not decoded.

    >>> decoded(Item("nowhere.png", Path("nowhere.png")), lambda image: image.size)
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: 'nowhere.png' cannot be read: No such file or directory
    """
    name, value = repr(item.name), item.value
    if isinstance(value, Image.Image):
        return use(value)
    if not isinstance(value, str | Path | bytes):
        return use(_of_array(name, value))
    too_large = f"{name} has more than {_MAX_PIXELS // 10**6} million pixels, or {_MAX_SIDE} per side; scale it down"
    if not isinstance(value, bytes) and Path(value).exists() and not (Path(value).is_file() or Path(value).is_dir()):
        # Opening a pipe would block until another program writes to it.
        raise DataError(f"{name} is not a file; replace or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, where the limit here is lower, and about metadata
            file = io.BytesIO(value) if isinstance(value, bytes) else value
            with Image.open(file, formats=["PNG", "JPEG", "WEBP"]) as image:
                if image.width * image.height > _MAX_PIXELS or max(image.size) > _MAX_SIDE:
                    raise DataError(too_large)
                return use(image)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(too_large) from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a PNG, JPEG or WebP image; replace or remove it") from error
    except Exception as error:  # decoders raise many kinds of error for damaged files, from SyntaxError to struct.error
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{name} cannot be read: {error.strerror}") from error
        raise DataError(f"{name} is a damaged image; replace or remove it") from error


def upright(image: Image.Image, mode: str) -> Image.Image:
    """Turn an image upright by its EXIF orientation, put it on white and convert it to a mode of 8 bits per channel.

    >>> upright(Image.new("RGBA", (1, 1), (0, 0, 0, 0)), "L").getpixel((0, 0))
    255
    """
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == mode and not image.has_transparency_data:
        return image
    plain = Image.new(mode, image.size)
    rows = max(1, _STRIP // image.width)  # one strip at a time, because copies of the whole image are large
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        plain.paste(_opaque(strip).convert(mode), (0, top))
    return plain


def png(image: Image.Image) -> bytes:
    """Return an image as a PNG file."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def _opaque(image: Image.Image) -> Image.Image:
    """Return the image on white, 8 bits per channel."""
    if image.mode.startswith("I"):  # 16 bits: Pillow would clip at 255, not scale
        values = np.asarray(image).clip(0, 65535)
        values[values == image.info.get("transparency", -1)] = 65535
        return Image.fromarray((values >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _of_array(name: str, value: Any) -> Image.Image:
    pixels = np.asarray(value.cpu() if isinstance(value, Tensor) else value)
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3) and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    fits = pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4))
    if pixels.dtype != np.uint8 and fits and pixels.dtype.kind == "f" and pixels.size:
        fits = pixels.min() >= 0 and pixels.max() <= 1
        pixels = np.rint(255 * pixels).astype(np.uint8) if fits else pixels
    if not fits or not pixels.size or pixels.dtype != np.uint8:
        raise DataError(
            f"{name} is an array of shape {pixels.shape} and type {pixels.dtype}; give (height, width) or (height, "
            f"width, 3), uint8 or real numbers from 0 to 1, or a file"
        )
    return Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels)
