"""Files made to harm whoever opens them as images: right pixels or one line, with few bytes read and little memory."""

import io
import os
import pickle
import struct
import zipfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.inputs.images import Images
from tests.inputs.drawings import read
from tests.limits import used

INK, COLOUR = Images(), Images(channels=3, size=84, ink=False)
Make = Callable[[Path], object]


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, *before: bytes, depth: int = 1, rows: int | None = None) -> bytes:
    """A black one, which takes little room however large it is."""
    pack = zlib.compressobj(1)
    row = bytes(1 + (width * depth + 7) // 8)
    data = b"".join(pack.compress(row) for _ in range(height if rows is None else rows)) + pack.flush()
    header = struct.pack(">IIBBBBB", width, height, depth, 0, 0, 0, 0)
    parts = (chunk(b"IHDR", header), *before, chunk(b"IDAT", data), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def frames(n: int) -> list[Image.Image]:
    return [Image.new("L", (20, 20), (7 * i) % 256) for i in range(n)]


def claims(kind: str, place: int, form: str, numbers: Sequence[int]) -> bytes:
    """A small picture whose header says that it is another size."""
    content = bytearray(encoded(Image.new("RGB", (32, 32)), kind))
    at = content.index(b"\xff\xc0") + 5 if kind == "JPEG" else place
    struct.pack_into(form, content, at, *numbers)
    return bytes(content)


def archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as file:
        file.writestr("../../image.png", b"")
    return content.getvalue()


def written(content: bytes) -> Make:
    return lambda path: path.write_bytes(content)


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10**10)


NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8))

REFUSED: dict[str, Make] = {
    "30000 x 30000": lambda path: path.write_bytes(png(30_000, 30_000)),
    "13000 x 13000": lambda path: path.write_bytes(png(13_000, 13_000, depth=8)),
    "a JPEG that claims 65000 x 65000": written(claims("JPEG", 0, ">HH", (65_000, 65_000))),
    "a WebP that claims 16383 x 16383": written(claims("WEBP", 26, "<HH", (16_383, 16_383))),
    "a BMP that claims 30000 x 30000": written(claims("BMP", 18, "<ii", (30_000, 30_000))),
    "a GIF that claims 60000 x 60000": written(claims("GIF", 6, "<HH", (60_000, 60_000))),
    "a HEIC without pixels": written(bytes(4) + b"ftypheic" + bytes(10_000)),
    "a HEIC of ten gigabytes": lambda path: (path.write_bytes(bytes(4) + b"ftypheic"), os.truncate(path, 10**10)),
    "EPS": written(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(/tmp/canary) (w) file closefile\nshowpage\n"),
    "ICO": written(encoded(NOISE, "ICO")),
    "PDF": written(encoded(NOISE, "PDF")),
    "SVG": written(b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>'),
    "HTML": written(b"<html><img src=x onerror=alert(1)></html>"),
    "a text": written(b"this is text, not an image\n" * 100),
    "a zip that climbs": written(archive()),
    "a pickle": written(pickle.dumps({"image": 1})),
    "nothing": written(b""),
    "zeros": written(bytes(10_000)),
    "ten gigabytes of nothing": sparse,
    "a PNG without pixels": written(png(28, 28, rows=0)),
    "a PNG of 16 million pixels in a line": written(png(16_000_000, 1)),
    "a PNG of no size": written(png(0, 0)),
    "a PNG whose text swells to 1 GB": lambda path: path.write_bytes(
        png(28, 28, chunk(b"zTXt", b"note\0\0" + zlib.compress(bytes(2**27), 9)))
    ),
    "a cut BMP": written(encoded(NOISE, "BMP")[:-2000]),
    "a cut TIFF": written(encoded(NOISE, "TIFF")[:2000]),
    "a cut PNG": written(encoded(NOISE, "PNG")[:-2000]),
    "a cut JPEG": written(encoded(NOISE, "JPEG")[:-800]),
    "a cut WebP": written(encoded(NOISE, "WEBP")[:-800]),
    "a pipe that nobody writes": os.mkfifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a folder": Path.mkdir,
}

EXIF = Image.Exif()
EXIF[0x0112] = 9  # of 1 to 8
HALVES = Image.new("L", (40, 40), 255)
HALVES.paste(0, (0, 0, 20, 40))

READ: dict[str, tuple[Make, Callable[[], Image.Image]]] = {
    "an animated PNG of 300 frames": (
        written(encoded(frames(1)[0], "PNG", save_all=True, append_images=frames(300)[1:])),
        lambda: frames(1)[0],
    ),
    "an animated WebP of 300 frames": (
        written(encoded(frames(1)[0], "WEBP", save_all=True, append_images=frames(300)[1:], lossless=True)),
        lambda: frames(1)[0],
    ),
    "a GIF of 5,000 frames": (
        written(encoded(frames(1)[0], "GIF", save_all=True, append_images=frames(5000)[1:])),
        lambda: frames(1)[0],
    ),
    "a TIFF of 300 pages": (
        written(encoded(frames(1)[0], "TIFF", save_all=True, append_images=frames(300)[1:])),
        lambda: frames(1)[0],
    ),
    "an orientation that is none": (written(encoded(HALVES, "PNG", exif=EXIF)), lambda: HALVES),
    "EXIF that is none": (written(encoded(HALVES, "PNG", exif=b"Exif\0\0II*\0" + b"\xff" * 50)), lambda: HALVES),
    "a profile of colours that is none": (written(encoded(HALVES, "PNG", icc_profile=b"\0" * 999)), lambda: HALVES),
    "bytes after the end": (written(encoded(HALVES, "PNG") + b"PK\x03\x04" * 100), lambda: HALVES),
    "PNG in a name of JPEG": (written(encoded(HALVES, "PNG")), lambda: HALVES),
    "16 million pixels": (lambda path: path.write_bytes(png(4000, 4000)), lambda: Image.new("L", (40, 40))),
    "16 million pixels of 16 bits": (
        lambda path: path.write_bytes(png(4000, 4000, depth=16)),
        lambda: Image.new("L", (40, 40)),
    ),
    "65,535 pixels in a line": (lambda path: path.write_bytes(png(65_535, 1)), lambda: Image.new("L", (40, 40))),
    "16 million pixels of four colours": (
        lambda path: Image.new("CMYK", (4000, 4000), (0, 0, 0, 255)).save(path, "JPEG"),
        lambda: Image.new("L", (40, 40)),
    ),
    "16 million pixels, turned": (
        lambda path: Image.new("L", (4000, 4000)).save(path, "JPEG", exif=sideways()),
        lambda: Image.new("L", (40, 40)),
    ),
    "16 million pixels, half of them clear": (
        lambda path: Image.new("LA", (4000, 4000), (0, 255)).save(path, "PNG", compress_level=1),
        lambda: Image.new("L", (40, 40)),
    ),
}


def sideways() -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


@pytest.fixture(scope="module", autouse=True)
def warm() -> None:
    """What is loaded once is not the file's."""
    for image in (HALVES, HALVES.convert("RGBA")):
        for kind in ("PNG", "WEBP"):
            Image.open(io.BytesIO(encoded(image, kind))).load()


@pytest.mark.parametrize("format", [INK, COLOUR], ids=["ink", "colour"])
@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.filterwarnings("error")
def test_is_refused(tmp_path, name, format):
    path = tmp_path / "image.png"
    REFUSED[name](path)
    with used() as effort, pytest.raises(DataError) as caught:
        read(path, format)
    said = str(caught.value)
    assert str(path) in said
    assert "\n" not in said
    assert len(said) < 400
    assert effort.read < 200_000
    assert effort.calls < 5_000
    assert effort.megabytes < 150


@pytest.mark.parametrize("format", [INK, COLOUR], ids=["ink", "colour"])
@pytest.mark.parametrize("name", READ)
@pytest.mark.filterwarnings("error")
def test_gives_the_right_pixels(tmp_path, name, format):
    make, expected = READ[name]
    path = tmp_path / "image.jpg"
    make(path)
    expected().save(tmp_path / "plain.png")
    with used() as effort:
        found = read(path, format)
    want = read(tmp_path / "plain.png", format)
    assert found.shape == want.shape
    assert np.abs(found.astype(int) - want).max() <= 3
    assert effort.read < path.stat().st_size + 10_000  # once
    assert effort.calls < 50_000  # none a pixel
    assert effort.megabytes < 150
