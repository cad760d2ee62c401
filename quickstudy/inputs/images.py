"""Images read from files, whatever their mode, polarity or shape, as arrays of one format."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from quickstudy.errors import DataError, SettingError

_MAX_PIXELS, _MAX_SIDE = 16_000_000, 65_535
_STRIP = 2**18  # pixels converted at a time
_FAINT = 32  # levels: what differs from its paper by less is not raised to full ink, or noise on a blank page would be


@dataclass(frozen=True)
class ImageFormat:
    """What every image of a data set is brought to.

    Attributes:
        channels: 1 for grey, 3 for red, green and blue.
        size: Pixels a side.
        ink: The images are drawings: whichever of paper and ink is the darker, paper becomes 0 and ink 255.

    Raises:
        SettingError: Channels other than 1 or 3, or a size below 1.

    >>> ImageFormat()
    ImageFormat(channels=1, size=28, ink=True)
    """

    channels: int = 1
    size: int = 28
    ink: bool = True

    def __post_init__(self) -> None:
        if self.channels not in (1, 3) or self.size < 1:
            raise SettingError(f"channels={self.channels}, size={self.size}: channels are 1 or 3, size is 1 or more")


def read_image(path: Path, format: ImageFormat) -> np.ndarray:
    """The image of a PNG, JPEG or WebP file, its first frame where it has several; see ``to_format``.

    Returns:
        (channels, size, size) uint8.

    Raises:
        DataError: The file is absent, damaged or of another kind, or has more than 16 million pixels or 65,535 a side
            (nothing is decoded).

    >>> read_image(Path("nowhere.png"), ImageFormat())
    Traceback (most recent call last):
        ...
    quickstudy.errors.DataError: 'nowhere.png' cannot be read: No such file or directory
    """
    name = repr(str(path))
    too_large = f"{name} has more than {_MAX_PIXELS // 10**6} million pixels, or {_MAX_SIDE} a side; scale it down"
    if path.exists() and not (path.is_file() or path.is_dir()):  # a pipe would keep us waiting
        raise DataError(f"{name} is no file; replace or remove it")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes, where the limit here is lower, and of what is beside the pixels
            with Image.open(path, formats=["PNG", "JPEG", "WEBP"]) as image:
                if image.width * image.height > _MAX_PIXELS or max(image.size) > _MAX_SIDE:
                    raise DataError(too_large)
                return to_format(image, format)
    except DataError:
        raise
    except Image.DecompressionBombError as error:
        raise DataError(too_large) from error
    except UnidentifiedImageError as error:
        raise DataError(f"{name} is not a PNG, JPEG or WebP image; replace or remove it") from error
    except Exception as error:  # decoders meet damage with errors of many kinds, from SyntaxError to struct.error
        if isinstance(error, OSError) and error.strerror:
            raise DataError(f"{name} cannot be read: {error.strerror}") from error
        raise DataError(f"{name} is a damaged image; replace or remove it") from error


def to_format(image: Image.Image, format: ImageFormat) -> np.ndarray:
    """An image as an array: upright by its EXIF orientation, transparent parts white.

    A drawing (``format.ink``) is reduced by the BOX filter, the mean of the pixels that each new one covers, keeps its
    proportions and is centred on a square of its own paper. Its paper is the median colour of its border: where that
    is light, the drawing is turned to bright ink. Paper becomes 0 and the strongest ink of the original 255; strokes
    thinner than a new pixel are raised until the strongest reaches half of that. A blank page stays blank.

    Any other image is brought to the square by the LANCZOS filter, as mini-ImageNet's are, proportions changing.

    Returns:
        (channels, size, size) uint8.

    >>> page = Image.new("L", (4, 4), "white")
    >>> page.putpixel((1, 2), 0)
    >>> to_format(page, ImageFormat(size=4))[0, 2].tolist()
    [0, 255, 0, 0]
    """
    image = _plain(_upright(image), "L" if format.channels == 1 else "RGB")
    if not format.ink:
        return _planes(np.asarray(image.resize((format.size, format.size), Image.Resampling.LANCZOS)))
    paper = np.median(_border(image), axis=0)
    light = bool(paper.mean() > 127)
    extremes = np.reshape(image.getextrema(), (-1, 2))
    strongest = (paper - extremes[:, 0] if light else extremes[:, 1] - paper).max()
    # Reduced before it is padded: a line of 16 million pixels must not become a square of them.
    width, height = (max(1, round(side * format.size / max(image.size))) for side in image.size)
    small = np.atleast_3d(np.asarray(image.resize((width, height), Image.Resampling.BOX)))
    ink = np.maximum(paper - small if light else small - paper, 0)
    ink *= 255 / max(_FAINT, min(strongest, 2 * ink.max()))
    square = np.zeros((format.size, format.size, format.channels), np.uint8)
    top, left = (format.size - height) // 2, (format.size - width) // 2
    square[top : top + height, left : left + width] = np.rint(ink).clip(0, 255)
    return _planes(square)


def _upright(image: Image.Image) -> Image.Image:
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) != 1
    return ImageOps.exif_transpose(image) if turned else image


def _plain(image: Image.Image, mode: str) -> Image.Image:
    """The image on white, in a mode of 8 bits a channel; a strip at a time, for whole copies are large."""
    if image.mode == mode and not image.has_transparency_data:
        return image
    plain = Image.new(mode, image.size)
    rows = max(1, _STRIP // image.width)
    for top in range(0, image.height, rows):
        strip = image.crop((0, top, image.width, min(top + rows, image.height)))
        plain.paste(_opaque(strip).convert(mode), (0, top))
    return plain


def _border(image: Image.Image) -> np.ndarray:
    """Pixels of the four sides, (n, channels)."""
    w, h = image.size
    sides = [(0, 0, w, 1), (0, h - 1, w, h), (0, 0, 1, h), (w - 1, 0, w, h)]
    channels = len(image.getbands())
    return np.concatenate([np.asarray(image.crop(side)).reshape(-1, channels) for side in sides])


def _opaque(image: Image.Image) -> Image.Image:
    """The image on white, 8 bits a channel."""
    if image.mode.startswith("I"):  # 16 bits: Pillow would cut at 255, not scale
        values = np.asarray(image).clip(0, 65535)
        values[values == image.info.get("transparency", -1)] = 65535
        return Image.fromarray((values >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def _planes(pixels: np.ndarray) -> np.ndarray:
    return np.atleast_3d(pixels).transpose(2, 0, 1).copy()
