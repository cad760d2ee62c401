"""Pictures of every kind and mode are decoded alike; what is no picture is refused in one line that names it."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops

from quickstudy.errors import DataError
from quickstudy.inputs.base import Item
from quickstudy.inputs.decode import decoded, levels, png, upright
from quickstudy.inputs.images import Images
from tests.inputs.drawings import HEIC, INK, SEVEN, close, drawing, read
from tests.limits import used


@pytest.fixture
def file(tmp_path):
    def save(image: Image.Image, name: str = "image.png", **options: object) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "a.PNG", "a.bmp", "a.gif", "a.tif", "a.TIFF"])
def test_every_kind_of_file_gives_the_same_drawing(file, name):
    options = {"lossless": True} if name.endswith("webp") else {"quality": 95} if "jp" in name else {}
    assert close(read(file(drawing(), name, **options), INK), SEVEN, 8)


def sixteen_bit(image: Image.Image) -> Image.Image:
    return Image.fromarray(np.asarray(image).astype(np.uint16) * 257)


def transparent(image: Image.Image) -> Image.Image:
    """Black ink on nothing; the hidden colour of the nothing is black as well."""
    result = Image.new("RGBA", image.size, (0, 0, 0, 0))
    result.putalpha(ImageChops.invert(image))
    return result


def transparent_palette(image: Image.Image) -> Image.Image:
    result = image.point(lambda v: int(v > 127)).convert("L")
    result = Image.frombytes("P", result.size, result.tobytes())
    result.putpalette([0, 0, 0, 0, 0, 0])  # ink black, paper black but transparent
    result.info["transparency"] = 1
    return result


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image.convert("1"),
        lambda image: image.convert("P"),
        lambda image: image.convert("LA"),
        lambda image: image.convert("RGB"),
        lambda image: image.convert("RGBA"),
        sixteen_bit,
        transparent,
        lambda image: transparent(image).convert("LA"),
        transparent_palette,
    ],
    ids=["1", "P", "LA", "RGB", "RGBA", "I;16", "transparent", "transparent-LA", "transparent-P"],
)
def test_every_mode_gives_the_same_drawing(file, change):
    changed = change(drawing())
    assert close(read(file(changed), INK), SEVEN)
    assert close(read(file(changed), Images(channels=3)), np.repeat(SEVEN, 3, 0))


def test_cmyk_gives_the_same_drawing(file):
    path = file(drawing().convert("RGB").convert("CMYK"), "a.jpg", quality=95)
    assert close(read(path, INK), SEVEN, 8)


def test_a_transparent_value_of_16_bits_is_white(file):
    values = np.full((28, 28), 1000, np.uint16)
    values[6:22, 10:14] = 0
    path = file(Image.fromarray(values), transparency=1000)
    assert (read(path, INK)[0, 6:22, 10:14] == 255).all()
    assert np.count_nonzero(read(path, INK)) == 16 * 4


@pytest.mark.parametrize(("low", "high"), [(0, 70_000), (-1, 255)])
def test_whole_numbers_beyond_16_bits_are_refused(file, low, high):
    values = np.full((28, 28), high, np.int32)
    values[0] = low
    with pytest.raises(DataError, match=f"holds numbers from {low} to {high}; save it with 8 or 16 bits"):
        read(file(Image.fromarray(values), "a.tif"), INK)
    values = values.clip(0, 65535)
    assert read(file(Image.fromarray(values), "a.tif"), INK).shape == (1, 28, 28)


@pytest.mark.parametrize("scale", [1, 16, 257])
@pytest.mark.parametrize(("dtype", "name"), [("uint16", "a.png"), ("uint16", "a.tif"), ("int32", "a.tif")])
def test_whole_numbers_of_8_12_and_16_bits_are_the_same_picture(file, dtype, name, scale):
    page = np.asarray(drawing())
    wide = (page.astype(dtype) * scale).astype(dtype)
    assert wide.max() in (255, 4080, 65535)
    for image in (Image.fromarray(wide), *([wide] if dtype == "uint16" else [])):
        assert np.array_equal(decoded(Item("a", image), lambda i: np.asarray(upright(i, "L"))), page)
    assert close(read(file(Image.fromarray(wide), name), INK), SEVEN)


def test_the_first_frame_is_read(file):
    later = [drawing(paper=255, ink=255)] * 2
    for name in ("a.png", "a.webp", "a.gif", "a.tif"):
        options = {"lossless": True} if name == "a.webp" else {}
        path = file(drawing().convert("RGB"), name, save_all=True, append_images=later, **options)
        assert close(read(path, INK), SEVEN)


def test_exif_orientation_is_applied(file):
    """Orientation 6: the camera was turned, and the image must turn right by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = file(drawing().transpose(Image.Transpose.ROTATE_90), "a.jpg", exif=exif, quality=95)
    assert close(read(path, INK), SEVEN, 8)


def test_the_image_given_is_not_changed():
    image = drawing()
    before = image.tobytes(), image.mode, image.size
    INK.pixels(image)
    assert (image.tobytes(), image.mode, image.size) == before


def png_that_claims(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def whole(kind: str) -> bytes:
    content = io.BytesIO()
    drawing().convert("RGB").save(content, kind)
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not a PNG"),
        (b"\n", "is not a PNG"),
        (b"this is text, not an image\n" * 100, "is not a PNG"),
        (whole("GIF")[:40], "damaged|is not a PNG"),
        (whole("TIFF")[:90], "damaged|is not a PNG"),
        (whole("BMP")[:90], "damaged"),
        (HEIC[:300], "damaged"),
        (whole("PNG")[:-60], "damaged"),
        (whole("PNG")[:33], "is not a PNG"),
        (whole("JPEG")[:800], "damaged"),
        (whole("WEBP")[:-200], "is not a PNG|damaged"),
        (png_that_claims(28, 28), "damaged"),
        (png_that_claims(4001, 4000), "16 million pixels"),
        (png_that_claims(10_000, 10_000), "16 million pixels"),
        (png_that_claims(100_000, 100_000), "16 million pixels"),
    ],
    ids=[
        "empty",
        "newline",
        "text",
        "cut-gif",
        "cut-tiff",
        "cut-bmp",
        "cut-heic",
        "cut-png",
        "header",
        "cut-jpeg",
        "cut-webp",
        "no-data",
        "16M",
        "100M",
        "10G",
    ],
)
@pytest.mark.filterwarnings("error")
def test_a_file_that_is_no_image_is_one_line_that_names_it(tmp_path, content, what):
    path = tmp_path / "image.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=what) as caught:
        read(path, INK)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.png.*No such file"):
        read(tmp_path / "nowhere.png", INK)
    with pytest.raises(DataError, match="cannot be read"):
        read(tmp_path, INK)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "HEIC"]),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.floats(0, 1),
)
def test_damage_is_a_data_error_or_an_image(tmp_path_factory, kind, places, end):
    content = bytearray(HEIC if kind == "HEIC" else whole(kind))
    for place, value in places:
        content[int(place * len(content))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: len(content) if end > 0.5 else int(2 * end * len(content))])
    try:
        image = read(path, INK)
    except DataError as error:
        image, message = None, str(error)
    assert "\n" not in message if image is None else image.shape == (1, 28, 28)


def test_a_picture_in_memory_is_used_as_it_is():
    image = drawing()
    assert decoded(Item("a", image), lambda same: same) is image
    assert decoded(Item("a", png(image)), lambda same: same.size) == image.size


@pytest.mark.parametrize(
    "value",
    [
        255 - np.asarray(drawing()),
        (255 - np.asarray(drawing())) / 255,
        (255 - np.asarray(drawing()))[None],
        (255 - np.asarray(drawing()))[..., None],
        np.repeat((255 - np.asarray(drawing()))[..., None], 3, 2),
        torch.from_numpy(255 - np.asarray(drawing())) / 255,
    ],
    ids=["uint8", "real", "channel first", "channel last", "colour", "tensor"],
)
def test_arrays_of_any_layout_give_the_same_drawing(value):
    assert close(INK.encode([Item("a", value)])[0].numpy(), SEVEN, 1)


@pytest.mark.parametrize(
    "value",
    [
        np.zeros(5),
        np.zeros((0, 4), np.uint8),
        np.zeros((5, 4, 5)),
        np.full((4, 4), -1.0),
        np.full((4, 4), 256.0),
        np.full((4, 4), 256),
        np.full((4, 4), -1),
        np.zeros((4, 4), complex),
        [[1, 2], [3]],
        torch.eye(4).to_sparse(),
        np.full((4, 4), 1.5),
        np.full((4, 4), np.nan),
        np.array([["a"]]),
        pytest.param(object(), id="object"),
        None,
        {"a": 1},
    ],
    ids=str,
)
@pytest.mark.filterwarnings("error")
def test_an_array_that_is_no_image_is_refused_in_one_line(value):
    with pytest.raises(DataError, match=r"^'mine' is an? .*array of .* or a file$") as caught:
        INK.encode([Item("mine", value)])
    assert "\n" not in str(caught.value)


def test_uploads_that_harm_are_refused_as_files_are():
    for content, what in ((b"", "is not a PNG"), (png_that_claims(9000, 9000), "16 million"), (whole("PNG")[:99], "d")):
        with pytest.raises(DataError, match=f"^'upload' .*{what}"):
            INK.encode(list(INK.open(content)))


def test_transparent_parts_are_white_in_every_mode():
    for mode in ("L", "RGB"):
        assert np.asarray(upright(Image.new("LA", (2, 2), (0, 0)), mode)).min() == 255
        assert np.asarray(upright(Image.new("RGBA", (2, 2), (9, 9, 9, 0)), mode)).min() == 255


def test_real_numbers_of_a_file_are_scaled_as_those_of_an_array(file):
    page = np.asarray(drawing()) / 255
    for scale in (1, 255):
        assert close(read(file(Image.fromarray((scale * page).astype(np.float32)), "a.tif"), INK), SEVEN, 1)


@pytest.mark.parametrize(
    ("x", "expected"),
    [
        (np.array([False, True]), [0, 255]),
        (np.array([0, 1, 255]), [0, 1, 255]),  # whole numbers are never scaled by what they hold
        (np.array([0, 256, 65535], np.uint16), [0, 1, 255]),
        (np.array([0, 16, 4095], np.uint16), [0, 1, 255]),
        (np.array([0, 1, 255], np.uint16), [0, 1, 255]),
        (np.array([0.0, 1.0]), [0, 255]),
        (np.array([0.0, 1.0005]), [0, 255]),  # rounding of an interpolation
        (np.array([-0.0005, 0.5], np.float16), [0, 128]),
        (np.array([0.0, 1.0, 2.0]), [0, 1, 2]),
        (np.array([0.4, 254.6]), [0, 255]),
        (np.array([0.0, 1.2]), None),
        (np.array([-0.1, 1.0]), None),
        (np.array([0.0, 256.0]), None),
        (np.array([0, 256]), None),
        (np.array([-1, 5]), None),
        (np.array([np.nan, 1.0]), None),
        (np.array([np.inf, 1.0]), None),
    ],
    ids=str,
)
def test_the_number_type_gives_the_scale(x, expected):
    result = levels(x)
    assert expected is None if result is None else (result.dtype == np.uint8 and result.tolist() == expected)


def on_nothing(ink: int, mode: str) -> Image.Image:
    """Ink of a level on transparent pixels of the same level."""
    result = Image.new("LA", (105, 105), (ink, 0))
    result.putalpha(ImageChops.invert(drawing()))
    return result.convert(mode)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
@pytest.mark.parametrize("ink", [0, 60, 200, 255])
def test_ink_of_any_level_on_transparent_paper_is_the_same_drawing(file, mode, ink):
    assert close(read(file(on_nothing(ink, mode)), INK), SEVEN, 3)
    assert close(INK.pixels(on_nothing(ink, mode)), SEVEN, 3)


def test_a_light_page_with_dark_ink_and_transparent_corners_stays_on_white():
    page = drawing().convert("LA")
    mask = Image.new("L", page.size, 255)
    mask.paste(0, (0, 0, 20, 20))
    page.putalpha(mask)
    assert close(INK.pixels(page), SEVEN, 3)


def test_light_ink_on_a_transparent_value_of_16_bits_is_seen(file):
    values = np.full((30, 30), 1000, np.uint16)
    values[10:14, 10:14] = 65535
    image = read(file(Image.fromarray(values), transparency=1000), INK)
    assert image.max() == 255
    assert image[0, 0].max() == 0


def large(width: int, height: int, **options: object) -> bytes:
    content = io.BytesIO()
    drawing((width, height), width=width // 16).convert("RGB").save(content, "JPEG", quality=80, **options)
    return content.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("size", "options", "most"),
    [
        ((6144, 4096), {}, 60),
        ((6144, 4096), {"progressive": True, "subsampling": 0}, 250),
        ((12_288, 9216), {}, 80),
    ],
    ids=["25", "25 progressive", "113"],
)
def test_a_large_photograph_is_read_at_a_reduced_size_in_bounded_memory(tmp_path, size, options, most):
    (tmp_path / "a.jpg").write_bytes(large(*size, **options))
    with used() as effort:
        image = read(tmp_path / "a.jpg", INK)
    small = INK.pixels(drawing((size[0] // 8, size[1] // 8), width=size[0] // 8 // 16))
    assert close(image, small, 12)
    assert effort.megabytes < most


def test_jpeg_files_too_large_for_bounded_memory_are_refused():
    for content, limit in ((claimed(65_000, 65_000), 200), (claimed(6000, 6000, progressive=True), 32)):
        with used() as effort, pytest.raises(DataError, match=f"'a' has more than {limit} million pixels"):
            INK.encode([Item("a", content)])
        assert effort.megabytes < 50


def claimed(width: int, height: int, **options: object) -> bytes:
    """A small JPEG file whose header says that it is larger."""
    content = bytearray(large(64, 64, **options))
    start = content.index(b"\xff\xc2" if options else b"\xff\xc0") + 5
    content[start : start + 4] = struct.pack(">HH", height, width)
    return bytes(content)
