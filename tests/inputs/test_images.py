import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.images import Images, read_image, to_format

SHARED = Path(__file__).parents[3] / "shared"
INK, COLOUR = Images(), Images(channels=3, size=16, ink=False)


def drawing(size=(105, 105), paper=255, ink=0, width=6) -> Image.Image:
    """A seven: it has no symmetry, so a turn or a mirror shows."""
    image = Image.new("L", size, paper)
    w, h = size
    corners = [(0.25 * w, 0.2 * h), (0.75 * w, 0.2 * h), (0.4 * w, 0.8 * h)]
    ImageDraw.Draw(image).line(corners, fill=ink, width=width)
    return image


def close(a: np.ndarray, b: np.ndarray, levels: int = 3) -> bool:
    return a.shape == b.shape and int(np.abs(a.astype(int) - b.astype(int)).max()) <= levels


@pytest.fixture
def file(tmp_path):
    def save(image: Image.Image, name: str = "image.png", **options: object) -> Path:
        image.save(tmp_path / name, **options)
        return tmp_path / name

    return save


SEVEN = to_format(drawing(), INK)


def test_a_seven_is_bright_ink_on_zero():
    assert SEVEN.shape == (1, 28, 28)
    assert SEVEN.dtype == np.uint8
    assert SEVEN.max() == 255
    assert SEVEN[0, 0].max() == 0
    assert SEVEN[0, 5:7, 8:20].min() > 100  # its top bar


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.jpeg", "a.webp", "a.PNG"])
def test_every_kind_of_file_gives_the_same_drawing(file, name):
    options = {"lossless": True} if name.endswith("webp") else {"quality": 95} if "jp" in name else {}
    assert close(read_image(file(drawing(), name, **options), INK), SEVEN, 8)


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
    assert close(read_image(file(changed), INK), SEVEN)
    assert close(read_image(file(changed), Images(channels=3)), np.repeat(SEVEN, 3, 0))


def test_cmyk_gives_the_same_drawing(file):
    path = file(drawing().convert("RGB").convert("CMYK"), "a.jpg", quality=95)
    assert close(read_image(path, INK), SEVEN, 8)


def test_a_transparent_value_of_16_bits_is_white(file):
    values = np.full((28, 28), 1000, np.uint16)
    values[10, 10] = 0
    path = file(Image.fromarray(values), transparency=1000)
    assert read_image(path, INK)[0, 10, 10] == 255
    assert np.count_nonzero(read_image(path, INK)) == 1


def test_the_first_frame_is_read(file):
    later = [drawing(paper=255, ink=255)] * 2
    for name in ("a.png", "a.webp"):
        path = file(drawing().convert("RGB"), name, save_all=True, append_images=later, lossless=True)
        assert close(read_image(path, INK), SEVEN)


def test_exif_orientation_is_applied(file):
    """Orientation 6: the camera was turned, and the image must turn right by 90 degrees."""
    exif = Image.Exif()
    exif[0x0112] = 6
    path = file(drawing().transpose(Image.Transpose.ROTATE_90), "a.jpg", exif=exif, quality=95)
    assert close(read_image(path, INK), SEVEN, 8)


def test_colours_stay_in_their_channels(file):
    image = read_image(file(Image.new("RGB", (50, 50), (10, 120, 250))), COLOUR)
    assert image.shape == (3, 16, 16)
    assert image.min((1, 2)).tolist() == image.max((1, 2)).tolist() == [10, 120, 250]


def test_a_picture_is_squeezed_whole_and_a_drawing_is_padded():
    left_half_white = Image.new("L", (200, 100), 0)
    left_half_white.paste(255, (0, 0, 100, 100))
    squeezed = to_format(left_half_white, Images(size=16, ink=False))[0]
    assert (squeezed[:, :6] > 240).all()
    assert (squeezed[:, 10:] < 15).all()
    wide = Image.new("L", (224, 112), 255)
    wide.paste(drawing((112, 112)), (56, 0))
    tall = wide.transpose(Image.Transpose.ROTATE_90)
    padded = to_format(wide, INK)
    assert padded[0, :7].max() == padded[0, 21:].max() == 0
    assert close(to_format(tall, INK)[0], np.rot90(padded[0]), 1)


def test_padding_has_the_colour_of_the_paper():
    assert to_format(drawing((105, 60), paper=200, ink=30), INK)[0, [0, -1]].max() == 0


@settings(max_examples=60, deadline=None)
@given(
    strokes=st.lists(st.tuples(*[st.integers(8, 48)] * 2, *[st.integers(10, 40)] * 2), max_size=5),
    paper=st.integers(150, 255),
    ink=st.integers(0, 60),
    width=st.integers(3, 9),
    size=st.tuples(st.integers(100, 130), st.integers(100, 130)),
    channels=st.sampled_from([1, 3]),
)
def test_polarity_is_irrelevant(strokes, paper, ink, width, size, channels):
    image = Image.new("L", size, paper)
    for x, y, across, down in strokes:
        ImageDraw.Draw(image).line([(x, y), (x + across, y + down)], fill=ink, width=width)
    format = Images(channels=channels)
    result = to_format(image, format)
    assert close(result, to_format(ImageChops.invert(image), format), 8)
    assert result.max() >= 120 if strokes else not result.any()
    assert result[:, 0].max() == 0


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (200, 60), (140, 20), (180, 140), (0, 255), (90, 200)])
def test_paper_becomes_0_and_ink_255_whatever_their_levels(paper, ink):
    assert close(to_format(drawing(paper=paper, ink=ink), INK), SEVEN, 5)


def test_a_photograph_reads_like_a_clean_drawing():
    """Grey paper, noise of a sensor, blur of a lens, JPEG."""
    noise = np.random.default_rng(0).normal(0, 6, (900, 900))
    photo = drawing((900, 900), paper=190, ink=50, width=51).filter(ImageFilter.GaussianBlur(3))
    photo = Image.fromarray((np.asarray(photo) + noise).clip(0, 255).astype(np.uint8))
    content = io.BytesIO()
    photo.save(content, "JPEG", quality=80)
    clean = to_format(drawing((900, 900), width=51), INK)
    assert close(to_format(Image.open(content), INK), clean, 45)


@pytest.mark.parametrize("level", [0, 1, 127, 128, 254, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200)])
def test_a_blank_page_stays_blank(level, size):
    assert not to_format(Image.new("L", size, level), INK).any()
    assert not to_format(Image.new("RGB", size, (level, 255 - level, 9)), Images(channels=3)).any()


def test_noise_on_a_blank_page_is_not_raised_to_ink():
    noise = np.random.default_rng(0).normal(230, 2, (400, 400)).astype(np.uint8)
    assert to_format(Image.fromarray(noise), INK).max() < 20


@pytest.mark.parametrize(("width", "level"), [(1, 60), (2, 120), (5, 120), (20, 120)])
def test_thin_ink_survives_a_great_reduction(width, level):
    thin = to_format(drawing((1000, 1000), width=width), INK)[0]
    assert thin.max() >= level
    assert thin[6:22].max(1).min() >= level / 3  # its long stroke has no gap


def test_a_very_long_image_is_reduced_before_it_is_padded():
    assert to_format(Image.new("L", (4_000_000, 1), 255), INK).shape == (1, 28, 28)


def test_a_small_image_is_enlarged():
    small = to_format(drawing((14, 14), width=1), INK)
    assert small.shape == (1, 28, 28)
    assert small.max() == 255


def test_the_image_given_is_not_changed():
    image = drawing()
    before = image.tobytes(), image.mode, image.size
    to_format(image, INK)
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


GIF = io.BytesIO()
drawing().save(GIF, "GIF")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "is not a PNG"),
        (b"\n", "is not a PNG"),
        (b"this is text, not an image\n" * 100, "is not a PNG"),
        (GIF.getvalue(), "is not a PNG"),
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
        "gif",
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
        read_image(path, INK)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.png.*No such file"):
        read_image(tmp_path / "nowhere.png", INK)
    with pytest.raises(DataError, match="cannot be read"):
        read_image(tmp_path, INK)


@settings(max_examples=150, deadline=None)
@given(
    kind=st.sampled_from(["PNG", "JPEG", "WEBP"]),
    places=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6),
    end=st.floats(0, 1),
)
def test_damage_is_a_data_error_or_an_image(tmp_path_factory, kind, places, end):
    content = bytearray(whole(kind))
    for place, value in places:
        content[int(place * len(content))] = value
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: len(content) if end > 0.5 else int(2 * end * len(content))])
    try:
        image = read_image(path, INK)
    except DataError as error:
        image, message = None, str(error)
    assert "\n" not in message if image is None else image.shape == (1, 28, 28)


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"size": 0}])
def test_a_format_is_checked(wrong):
    with pytest.raises(SettingError, match="channels are 1 or 3"):
        Images(**wrong)


@pytest.mark.skipif(not (SHARED / "data" / "omniglot").exists(), reason="needs Omniglot")
def test_shared_omniglot_drawings_are_their_box_means():
    import zipfile

    with zipfile.ZipFile(SHARED / "data" / "omniglot" / "images_background.zip") as archive:
        names = [name for name in archive.namelist() if name.endswith(".png")][::40]
        for name in names:
            image = Image.open(io.BytesIO(archive.read(name)))
            means = np.asarray(image.convert("L").resize((28, 28), Image.Resampling.BOX))
            assert np.array_equal(to_format(image, INK)[0], 255 - means)
