"""Decoding of images from files, uploads, Pillow images and arrays of any mode: upright and on one ground."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile
from torch import Tensor

from quickstudy.errors import DataError
from quickstudy.inputs.base import Item
from quickstudy.inputs.heic import is_heic, opened_heic

T = TypeVar("T")
_FORMATS = ("PNG", "WEBP", "BMP", "GIF", "TIFF")  # beside JPEG and HEIC
_MAX_PIXELS, _MAX_SIDE = 16_000_000, 65_535
_MORE_PIXELS = {"JPEG": 200_000_000, "HEIF": 50_000_000}  # JPEG is decoded at a reduced size
_MAX_IN_SCANS = 32_000_000  # pixels of a JPEG file of several scans: all of its coefficients are in memory at once
_STRIP = 2**18  # pixels converted at a time
_SLACK = 0.001  # share of the scale by which real numbers may leave it, because interpolation rounds


def decoded(item: Item, use: Callable[[Image.Image], T], least: int | None = None) -> T:
    """Return the result of a function of an item's image, called while its file is open.

    Of an image with several frames or pages, only the first is read. A JPEG file of more than 16 million pixels is
    decoded at a half, a quarter or an eighth of its size.

    Args:
        item: Its value is the path or the bytes of a PNG, JPEG, WebP, BMP, GIF, TIFF or HEIC file, a Pillow image, or
            an array. Arrays, tensors and nested lists are (height, width), (height, width, 1, 3 or 4) or (1, 3 or 4,
            height, width), with numbers as ``levels`` takes them.
        use: Function of the Pillow image.
        least: Pixels of the shorter side that suffice, so that a JPEG file may be decoded at a reduced size.

    Raises:
        DataError: The image is missing, damaged or of another format, or has more than 16 million pixels (JPEG: 200
            million, HEIC: 50 million) or 65,535 per side. An image that is too large is not decoded.

    >>> decoded(Item("nowhere.png", Path("nowhere.png")), lambda image: image.size)
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: 'nowhere.png' cannot be read: No such file or directory
    """
    name, value = repr(item.name), item.value
    if isinstance(value, DataError):
        raise value
    if not isinstance(value, str | Path | bytes):
        return use(_eight_bits(name, value) if isinstance(value, Image.Image) else _of_array(name, value))
    if not isinstance(value, bytes) and Path(value).exists() and not (Path(value).is_file() or Path(value).is_dir()):
        # Opening a pipe would block until another program writes to it.
        raise DataError(f"{name} is not a file; replace or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about sizes, where the limit here is lower, and about metadata
            with _opened(name, value, least) as image:
                return use(_eight_bits(name, image))
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(_too_large(name, _MAX_PIXELS)) from error
    except UnidentifiedImageError as error:
        raise DataError(
            f"{name} is not a PNG, JPEG, WebP, BMP, GIF, TIFF or HEIC image; replace or remove it"
        ) from error
    except Exception as error:  # decoders raise many kinds of error for damaged files, from SyntaxError to struct.error
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{name} cannot be read: {error.strerror}") from error
        raise DataError(f"{name} is a damaged image; replace or remove it") from error


def upright(image: Image.Image, mode: str) -> Image.Image:
    """Turn an image upright by its EXIF orientation, put it on its ground and convert it to 8 bits per channel.

    The ground of transparent parts is white. It is black if every opaque pixel is light, which would not be seen on
    white.

    >>> upright(Image.new("RGBA", (1, 1), (0, 0, 0, 0)), "L").getpixel((0, 0))
    255
    """
    if image.getexif().get(ExifTags.Base.Orientation, 1) != 1:
        image = ImageOps.exif_transpose(image)
    if image.mode == mode and not image.has_transparency_data:
        return image
    bits = excess(_highest(image)) if image.mode.startswith("I") else 0
    ground = 0 if image.has_transparency_data and _is_light(image, bits) else 255
    plain = Image.new(mode, image.size)
    for top, strip in _strips(image):
        plain.paste(_opaque(strip, ground, bits).convert(mode), (0, top))
    return plain


def png(image: Image.Image) -> bytes:
    """Return an image as a PNG file."""
    content = io.BytesIO()
    image.save(content, "PNG")
    return content.getvalue()


def levels(x: np.ndarray) -> np.ndarray | None:
    """Convert an array of numbers to levels from 0 to 255, uint8; None if the numbers cannot be those of an image.

    The number type decides about the scale. Whole numbers go from 0 to 255, uint16 as ``excess`` says, truth values to
    1. Real numbers go to 1 if none is larger, otherwise to 255; between 1 and 2, the largest could mean either, so it
    is refused. An image of real numbers up to 255 is nearly black where none is above 1, and is read as 0 to 1.

    >>> levels(np.array([0.0, 0.5, 1.0])), levels(np.array([0, 1, 255])), levels(np.array([0.0, 1.5]))
    (array([  0, 128, 255], dtype=uint8), array([  0,   1, 255], dtype=uint8), None)
    """
    kind = x.dtype.kind
    if x.dtype == np.uint8 or not x.size:
        return x.astype(np.uint8) if kind in "biuf" else None
    if kind == "b":
        return x * np.uint8(255)
    if x.dtype == np.uint16:
        return (x >> excess(int(x.max()))).astype(np.uint8)
    if kind not in "iuf":
        return None
    low, high = float(x.min()), float(x.max())
    scale = 1 if kind == "f" and high <= 1 + _SLACK else 255
    slack = _SLACK * scale if kind == "f" else 0
    if not (-slack <= low and high <= scale + slack) or (kind == "f" and 1 + _SLACK < high < 2):
        return None
    if kind != "f":
        return x.astype(np.uint8)
    x = x.astype(np.float32) * np.float32(255 / scale)
    result: np.ndarray = np.rint(x, out=x).clip(0, 255, out=x).astype(np.uint8)
    return result


def excess(highest: int) -> int:
    """Return how many bits more than 8 the whole numbers of an image have, by the highest of them.

    A camera of 12 bits writes files of 16 bits with numbers up to 4,095, and many programs write 0 to 255.

    >>> excess(255), excess(256), excess(4096)
    (0, 4, 8)
    """
    return 0 if highest < 2**8 else 4 if highest < 2**12 else 8


def numbers(value: Any) -> np.ndarray | None:
    """Return an array, a tensor on any device or a nested list as an array; None if it is not one of numbers.

    >>> numbers([[0, 255]]).shape, numbers("a word")
    ((1, 2), None)
    """
    try:
        if isinstance(value, Tensor):
            value = value.detach().cpu()
            value = value.float().numpy() if value.is_floating_point() else value.numpy()
        x = np.asarray(value)
    except (TypeError, ValueError, RuntimeError):  # rows of different lengths, or a sparse tensor
        return None
    return x if x.dtype.kind in "biuf" else None


@contextmanager
def _opened(name: str, source: str | Path | bytes, least: int | None) -> Iterator[Image.Image]:
    """Open an image, and prepare its decoding within bounded memory."""
    with io.BytesIO(source) if isinstance(source, bytes) else open(source, "rb") as file, _image(name, file) as image:
        limit = _MORE_PIXELS.get(image.format or "", _MAX_PIXELS)
        if image.format == "JPEG" and not _is_one_scan(image):
            limit = _MAX_IN_SCANS
        pixels = image.width * image.height
        if pixels > limit or max(image.size) > _MAX_SIDE:
            raise DataError(_too_large(name, limit))
        if image.format == "JPEG" and (least or pixels > _MAX_PIXELS):
            enough = [by for by in (8, 4, 2) if least and min(image.size) >= by * least]
            by = next(by for by in (1, 2, 4, 8) if pixels <= _MAX_PIXELS * by**2 and by >= max([1, *enough]))
            image.draft(None, (max(1, image.width // by), max(1, image.height // by)))
        yield image


def _image(name: str, file: BinaryIO) -> Image.Image:
    """Open an image by the first bytes of its file; only the formats above are ever tried."""
    head = file.read(12)
    file.seek(0)
    if is_heic(head):
        return opened_heic(name, file)
    if head.startswith(b"\xff\xd8\xff"):  # by its class, for Pillow's own limit is below what phones write
        return JpegImageFile(file)
    return Image.open(file, formats=_FORMATS)


def _is_one_scan(image: Any) -> bool:
    """Return whether a JPEG file is decoded row by row: sequential, and its first scan holds all of its components."""
    n, file = image.layers, image.fp
    length = 6 + 2 * n  # of the first scan's header, after which Pillow has stopped reading
    end = file.tell()
    file.seek(max(0, end - length))
    header = file.read(length)
    file.seek(end)
    return header[:3] == bytes((0, length, n)) and not image.info.get("progressive")


def _too_large(name: str, limit: int) -> str:
    return f"{name} has more than {limit // 10**6} million pixels, or {_MAX_SIDE} per side; scale it down"


def _eight_bits(name: str, image: Image.Image) -> Image.Image:
    """Return the image; one of real numbers (TIFF) as levels, because Pillow would clip them.

    Raises:
        DataError: An image of whole numbers holds others than 16 bits have, so that it is not known what is white.
    """
    if image.mode == "I":
        low, high = cast("tuple[int, int]", image.getextrema())
        if low < 0 or high > 65535:
            raise DataError(f"{name} holds numbers from {low} to {high}; save it with 8 or 16 bits per channel")
    return _of_array(name, np.asarray(image)) if image.mode == "F" else image


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield the image in strips of rows with the place of each, because copies of the whole image are large."""
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _highest(image: Image.Image) -> int:
    """Return the highest of an image's whole numbers that are not transparent."""
    clear = image.info.get("transparency", -1)
    values = (np.asarray(strip) for _, strip in _strips(image))
    return max(int(x.max(initial=0, where=x != clear)) for x in values)


def _is_light(image: Image.Image, bits: int) -> bool:
    """Return whether an image has opaque pixels, and all of them are lighter than grey; see ``_opaque``."""
    opaque = False
    for _, strip in _strips(image):
        if strip.mode.startswith("I"):
            values = np.asarray(strip)
            values = values[values != image.info["transparency"]] >> bits
        else:
            strip = strip.convert("RGBA")
            values = np.asarray(strip.convert("L"))[np.asarray(strip.getchannel("A")) > 127]
        if values.size and values.min() <= 127:
            return False
        opaque = opaque or values.size > 0
    return opaque


def _opaque(image: Image.Image, ground: int, bits: int) -> Image.Image:
    """Return the image on a ground of a level, 8 bits per channel; its whole numbers have some bits more than 8."""
    if image.mode.startswith("I"):  # Pillow would clip at 255, not scale
        values = np.asarray(image).clip(0, 65535)
        values[values == image.info.get("transparency", -1)] = ground << bits
        return Image.fromarray((values >> bits).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, (ground, ground, ground)), image).convert("RGB")


def _of_array(name: str, value: Any) -> Image.Image:
    pixels = numbers(value)
    if pixels is None:
        raise DataError(f"{name} is a {type(value).__name__} and not an array of numbers; {_ARRAYS}")
    if pixels.ndim == 3 and pixels.shape[0] in (1, 3, 4) and pixels.shape[2] not in (1, 3, 4):
        pixels = pixels.transpose(1, 2, 0)
    fits = pixels.size > 0 and (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] in (1, 3, 4)))
    image = levels(pixels) if fits else None
    if image is None:
        held = f", with numbers from {pixels.min():g} to {pixels.max():g}" if pixels.size else ""
        raise DataError(f"{name} is an array of shape {pixels.shape} and type {pixels.dtype}{held}; {_ARRAYS}")
    return Image.fromarray(image[..., 0] if image.ndim == 3 and image.shape[2] == 1 else image)


_ARRAYS = (
    "give (height, width) or (height, width, 3) with whole numbers from 0 to 255, or real numbers from 0 to 1 or from "
    "0 to 255, or a file"
)
