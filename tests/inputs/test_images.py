"""Images become arrays of one size: ink bright on zero, proportions kept; each is kept, shown and taken apart."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageOps

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.base import Item
from quickstudy.inputs.framing import frame
from quickstudy.inputs.images import Images
from tests.conftest import SHARED as OMNIGLOT
from tests.inputs.drawings import COLOUR, INK, SEVEN, close, drawing, read


def test_a_seven_is_bright_ink_on_zero():
    assert SEVEN.shape == (1, 28, 28)
    assert SEVEN.dtype == np.uint8
    assert SEVEN.max() == 255
    assert SEVEN[0, 0].max() == 0
    assert SEVEN[0, 5:7, 8:20].min() > 100  # its top bar


def test_colours_stay_in_their_channels(tmp_path):
    Image.new("RGB", (50, 50), (10, 120, 250)).save(tmp_path / "a.png")
    image = read(tmp_path / "a.png", COLOUR)
    assert image.shape == (3, 16, 16)
    assert image.min((1, 2)).tolist() == image.max((1, 2)).tolist() == [10, 120, 250]


def test_a_picture_is_squeezed_whole_and_a_drawing_is_padded():
    left_half_white = Image.new("L", (200, 100), 0)
    left_half_white.paste(255, (0, 0, 100, 100))
    squeezed = Images(size=16, ink=False).pixels(left_half_white)[0]
    assert (squeezed[:, :6] > 240).all()
    assert (squeezed[:, 10:] < 15).all()
    wide = Image.new("L", (224, 112), 255)
    ImageDraw.Draw(wide).line((40, 20, 184, 92), 0, 12)
    assert frame(wide).image is wide
    tall = wide.transpose(Image.Transpose.ROTATE_90)
    padded = INK.pixels(wide)
    assert padded[0, :7].max() == padded[0, 21:].max() == 0
    assert close(INK.pixels(tall)[0], np.rot90(padded[0]), 1)


def test_padding_has_the_colour_of_the_paper():
    assert INK.pixels(drawing((105, 60), paper=200, ink=30))[0, [0, -1]].max() == 0


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
    result = format.pixels(image)
    assert close(result, format.pixels(ImageChops.invert(image)), 8)
    assert result.max() >= 120 if strokes else not result.any()
    assert result[:, 0].max() == 0


@pytest.mark.parametrize(("paper", "ink"), [(255, 0), (200, 60), (140, 20), (180, 140), (0, 255), (90, 200)])
def test_paper_becomes_0_and_ink_255_whatever_their_levels(paper, ink):
    assert close(INK.pixels(drawing(paper=paper, ink=ink)), SEVEN, 5)


def test_a_photograph_reads_like_a_clean_drawing():
    """Grey paper, noise of a sensor, blur of a lens, JPEG."""
    noise = np.random.default_rng(0).normal(0, 6, (900, 900))
    photo = drawing((900, 900), paper=190, ink=50, width=51).filter(ImageFilter.GaussianBlur(3))
    photo = Image.fromarray((np.asarray(photo) + noise).clip(0, 255).astype(np.uint8))
    content = io.BytesIO()
    photo.save(content, "JPEG", quality=80)
    clean = INK.pixels(drawing((900, 900), width=51))
    assert close(INK.pixels(Image.open(content)), clean, 45)


@pytest.mark.parametrize("level", [0, 1, 127, 128, 254, 255])
@pytest.mark.parametrize("size", [(1, 1), (28, 28), (300, 200)])
def test_a_blank_page_stays_blank(level, size):
    assert not INK.pixels(Image.new("L", size, level)).any()
    assert not Images(channels=3).pixels(Image.new("RGB", size, (level, 255 - level, 9))).any()


def test_noise_on_a_blank_page_is_not_raised_to_ink():
    noise = np.random.default_rng(0).normal(230, 2, (400, 400)).astype(np.uint8)
    assert INK.pixels(Image.fromarray(noise)).max() < 20


@pytest.mark.parametrize(("width", "level"), [(1, 60), (2, 120), (5, 120), (20, 120)])
def test_thin_ink_survives_a_great_reduction(width, level):
    thin = INK.pixels(drawing((1000, 1000), width=width))[0]
    assert thin.max() >= level
    assert thin[6:22].max(1).min() >= level / 3  # its long stroke has no gap


def test_a_very_long_image_is_reduced_before_it_is_padded():
    assert INK.pixels(Image.new("L", (4_000_000, 1), 255)).shape == (1, 28, 28)


def test_a_small_image_is_enlarged():
    small = INK.pixels(drawing((14, 14), width=1))
    assert small.shape == (1, 28, 28)
    assert small.max() == 255


@pytest.mark.parametrize("wrong", [{"channels": 2}, {"size": 0}])
def test_a_format_is_checked(wrong):
    with pytest.raises(SettingError, match="channels are 1 or 3"):
        Images(**wrong)


@pytest.mark.skipif(not OMNIGLOT.exists(), reason="needs Omniglot")
@pytest.mark.slow
def test_shared_omniglot_drawings_are_their_box_means():
    import zipfile

    with zipfile.ZipFile(OMNIGLOT / "images_background.zip") as archive:
        names, equal = [name for name in archive.namelist() if name.endswith(".png")][::40], 0
        for name in names:
            image = Image.open(io.BytesIO(archive.read(name)))
            means = np.asarray(image.convert("L").resize((28, 28), Image.Resampling.BOX))
            if frame(image.convert("L")).image.size == image.size:
                equal += np.array_equal(INK.pixels(image)[0], 255 - means)
    assert equal > 0.85 * len(names), "others are small or off the centre"


def by_the_recipe(path: Path, channels: int, size: int) -> np.ndarray:
    """Follow the words of a drawing's recipe with Pillow and NumPy alone, (channels, size, size) from 0 to 1."""
    image = ImageOps.exif_transpose(Image.open(path))
    image = image.convert("RGBA")
    opaque = np.asarray(image.convert("L"))[np.asarray(image)[..., 3] > 127]
    ground = Image.new("RGBA", image.size, "black" if opaque.size and opaque.min() > 127 else "white")
    image = Image.alpha_composite(ground, image).convert("L" if channels == 1 else "RGB")
    pixels = np.asarray(image, dtype=float).reshape(image.height, image.width, channels)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    paper = np.median(border, axis=0)
    if image.size == (size, size) and not paper.any():
        return pixels.transpose(2, 0, 1) / 255
    if max(image.size) > size and frame(image).image is not image:
        return by_the_recipe_of_well_framed(frame(image).image, channels, size)
    return by_the_recipe_of_well_framed(image, channels, size)


def by_the_recipe_of_well_framed(image: Image.Image, channels: int, size: int) -> np.ndarray:
    pixels = np.asarray(image, dtype=float).reshape(image.height, image.width, channels)
    paper = np.median(np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]]), axis=0)
    light = paper.mean() > 127
    scale = size / max(image.size)
    width, height = (max(1, round(side * scale)) for side in image.size)
    small = np.asarray(image.resize((width, height), Image.Resampling.BOX), dtype=float)
    small = small.reshape(height, width, channels)
    ink, before = (np.maximum(paper - x if light else x - paper, 0) for x in (small, pixels))
    ink = np.rint(ink * 255 / max(32, min(before.max(), 2 * ink.max()))).clip(0, 255)
    square = np.zeros((size, size, channels))
    top, left = (size - height) // 2, (size - width) // 2
    square[top : top + height, left : left + width] = ink
    return square.transpose(2, 0, 1) / 255


@pytest.mark.parametrize("images", [Images(), Images(size=16), Images(channels=3, size=20)], ids=str)
@pytest.mark.parametrize("size", [(105, 105), (60, 131), (20, 9), (28, 28), (16, 16)])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA"])
def test_the_recipe_says_enough_to_make_the_same_drawing(tmp_path, images, size, mode):
    for i, (paper, ink) in enumerate([(255, 0), (30, 210), (200, 120), (0, 90)]):
        drawing(size, paper, ink).convert(mode).save(tmp_path / f"{i}.png")
        want = by_the_recipe(tmp_path / f"{i}.png", images.channels, images.size)
        assert np.abs(read(tmp_path / f"{i}.png", images) / 255 - want).max() <= 1 / 255 + 1e-9
    for i, level in enumerate([0, 100, 200, 255]):
        clear = Image.new("LA", size, (level, 0))
        clear.putalpha(ImageChops.invert(drawing(size)))
        clear.save(tmp_path / f"{i}.png")
        want = by_the_recipe(tmp_path / f"{i}.png", images.channels, images.size)
        assert np.abs(read(tmp_path / f"{i}.png", images) / 255 - want).max() <= 1 / 255 + 1e-9
    for words in ("BOX", "max(32, min(s, 2 m)", f"{images.size} square of zeros", "Divide by 255"):
        assert words in images.recipe


def test_the_recipe_of_a_picture_says_enough_too(tmp_path):
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (40, 70, 3), dtype=np.uint8))
    image.save(tmp_path / "a.png")
    want = np.asarray(image.resize((16, 16), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    assert np.array_equal(read(tmp_path / "a.png", COLOUR), want)
    assert "Resize to 16 x 16 by Pillow's LANCZOS filter, proportions changing" in COLOUR.recipe


def test_what_is_kept_is_small_and_encodes_alike(tmp_path):
    large = drawing((1200, 900), width=60)
    large.save(tmp_path / "a.png")
    item = Item("a.png", tmp_path / "a.png")
    kept = INK.keep(item)
    assert max(Image.open(io.BytesIO(kept)).size) == 224
    one, other = INK.encode([item, Item("a.png", kept)]).numpy()
    assert close(one, other, 12)
    assert INK.keep(Item("a.png", kept)) == INK.picture(item) == kept


def test_a_small_picture_is_kept_as_it_is():
    for images, image in ((INK, drawing((60, 40))), (COLOUR, Image.new("RGB", (30, 20), (9, 99, 200)))):
        kept = images.keep(Item("a", image))
        assert np.array_equal(np.asarray(Image.open(io.BytesIO(kept))), np.asarray(image))
        assert np.array_equal(images.encode([Item("a", kept)])[0].numpy(), images.pixels(image))


def test_a_link_is_followed_and_an_upload_needs_no_file(tmp_path):
    drawing().save(tmp_path / "a.png")
    (tmp_path / "link.png").symlink_to(tmp_path / "a.png")
    (upload,) = INK.open((tmp_path / "a.png").read_bytes())
    assert upload.name == "upload"
    for one in (upload, *INK.open(tmp_path / "link.png"), *INK.open(str(tmp_path / "a.png"))):
        assert np.array_equal(INK.encode([one])[0].numpy(), SEVEN)


def test_a_folder_opens_as_its_images_sorted(tmp_path):
    for name in ("b.png", "a.PNG", ".hidden.png"):
        drawing().save(tmp_path / name, "PNG")
    (tmp_path / "notes.txt").write_text("not an image")
    with pytest.warns(UserWarning, match=r"left out, not images that can be read: 1 \.txt \(notes\.txt\)$"):
        names = [item.name for item in INK.open(tmp_path)]
    assert names == [str(tmp_path / name) for name in ("a.PNG", "b.png")]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="is a folder without images; give image files"):
        list(INK.open(tmp_path / "empty"))


def test_patches_cover_the_picture_once_and_a_blank_patch_changes_nothing():
    image = drawing((70, 49))
    parts = list(INK.parts(Item("a", image)))
    assert [name for name, _ in parts][:8] == [f"row 1, column {k}" for k in range(1, 8)] + ["row 2, column 1"]
    assert len(parts) == 49
    before = np.asarray(image)
    changed = np.stack([np.asarray(item.value) != before for _, item in parts])
    assert (changed.sum(0) == (before != 255)).all()  # each pixel of ink is painted over once
    assert np.asarray(image).tobytes() == before.tobytes()


@pytest.mark.parametrize("size", [(1, 1), (3, 200), (6, 7)])
def test_a_tiny_picture_has_as_many_patches(size):
    assert len(list(INK.parts(Item("a", Image.new("L", size))))) == 49


def in_containers(image: Image.Image, file: Path) -> dict[str, object]:
    """Return the same picture in every container."""
    image.save(file)
    x = np.asarray(image)
    if image.mode == "L":
        layouts = {"HW": x, "HW1": x[..., None], "1HW": x[None]}
    else:
        layouts = {"HWC": x, "CHW": x.transpose(2, 0, 1).copy()}
    types = {
        "uint8": lambda x: x,
        "int16": lambda x: x.astype(np.int16),
        "int64": lambda x: x.astype(np.int64),
        "uint16": lambda x: x.astype(np.uint16) * 257,
        "0..255": lambda x: x.astype(np.float64),
        "0..1": lambda x: x / 255,
        "half 0..1": lambda x: (x / 255).astype(np.float16),
        "torch": torch.from_numpy,
        "torch 0..1": lambda x: torch.from_numpy(x) / 255,
        "list": np.ndarray.tolist,
    }
    arrays = {f"{layout} {kind}": change(each) for layout, each in layouts.items() for kind, change in types.items()}
    return {"file": file, "name": str(file), "bytes": file.read_bytes(), "Pillow": image, **arrays}


def noisy(seed: int, colour: bool, size: tuple[int, int], strength: int) -> Image.Image:
    """Return a photograph-like picture: a smooth field with an edge, and noise, with levels of 2 and more."""
    rng = np.random.default_rng(seed)
    field = rng.integers(0, 256, (3, 3, 3) if colour else (3, 3), dtype=np.uint8)
    x = np.asarray(Image.fromarray(field).resize(size)).astype(int)
    x = x + rng.integers(-strength, strength + 1, x.shape)
    x[: size[1] // 2, : size[0] // 3] //= 2
    return Image.fromarray(x.clip(2, 255).astype(np.uint8))


def law_of_containers(examples: int):
    @settings(max_examples=examples, deadline=None)
    @given(
        seed=st.integers(0, 2**32 - 1),
        drawn=st.booleans(),
        colour=st.booleans(),
        size=st.tuples(st.integers(5, 60), st.integers(5, 60)) | st.just((28, 28)),
        levels=st.tuples(st.integers(0, 255), st.integers(0, 255)),
        channels=st.sampled_from([1, 3]),
        ink=st.booleans(),
    )
    def test(tmp_path_factory, seed, drawn, colour, size, levels, channels, ink):
        if drawn:
            image = drawing(size, *levels, width=max(1, size[0] // 12)).convert("RGB" if colour else "L")
        else:
            image = noisy(seed, colour, size, levels[0] // 8)
        if np.asarray(image).max() < 16:  # numbers up to 1 are read as 0 to 1, 16 bits up to 4,095 as 12 bits
            image = image.point(lambda level: level + 16)
        images = Images(channels, 28, ink)
        forms = in_containers(image, tmp_path_factory.getbasetemp() / "container.png")
        expected = images.pixels(image)
        x = images.encode(images.items(list(forms.values())))
        for name, one in zip(forms, x, strict=True):
            assert np.array_equal(one.numpy(), expected), name
        stacks = (np.stack([np.asarray(form)] * 2) for name, form in forms.items() if " " in name)
        for stack in stacks:
            assert np.array_equal(images.encode(images.items(stack))[1].numpy(), expected)
        # What encoding has made is unchanged by it, if its border is paper.
        sides = (expected[:, [0, -1]].reshape(channels, -1), expected[..., [0, -1]].reshape(channels, -1))
        if not ink or not np.median(np.concatenate(sides, 1), 1).any():
            assert images.is_encoded(x)
            assert torch.equal(images.encode(images.items(x)), x)
            assert torch.equal(images.encode(images.items(x / 255.0)), x) or not x.any() or x.max() < 2

    return test


test_a_picture_in_another_container_is_the_same_picture = law_of_containers(10)
test_a_picture_in_another_container_is_the_same_picture_a_thousand_times = pytest.mark.slow(law_of_containers(1000))


def test_the_images_of_one_array_have_one_scale():
    """The second is nearly black; alone, its real numbers would be read as 0 to 1."""
    page = np.asarray(drawing()).astype(float)
    black = np.zeros_like(page)
    black[40:60, 40:60] = 1
    x = INK.encode(INK.items(np.stack([page, black])))
    assert np.array_equal(x[0].numpy(), SEVEN)
    assert INK.blank(x).tolist() == [False, True]


def test_a_dark_drawing_of_the_nets_size_is_a_picture_and_an_encoded_one_stays():
    page = np.asarray(drawing((28, 28), width=3))
    assert close(INK.encode([Item("a", page)])[0].numpy(), INK.pixels(drawing((28, 28), width=3)), 0)
    assert INK.encode([Item("a", page)])[0, 0, 0].max() == 0
    encoded = INK.encode([Item("a", drawing())])
    faint = encoded // 3
    for x in (encoded, faint):
        assert INK.is_encoded(x)
        assert torch.equal(INK.encode(INK.items(x)), x)
    assert not INK.is_encoded(page[None, None])
    assert not INK.is_encoded(encoded.long())
    assert INK.encode([]).shape == (0, 1, 28, 28)


@pytest.mark.parametrize("level", [0, 7, 128, 255])
def test_blank_and_constant_images_are_recognised(level):
    noise = np.random.default_rng(0).integers(-1, 2, (40, 40))
    for images in (INK, COLOUR, Images(3), Images(1, 28, ink=False)):
        x = images.encode(
            [
                Item("a", Image.new("L", (40, 40), level)),
                Item("b", (level + noise).clip(0, 255)),
                Item("c", drawing()),
                Item("d", drawing(paper=190, ink=150)),
            ]
        )
        assert images.blank(x).tolist() == images.blank(x / 255).tolist() == [True, True, False, False]
    assert INK.blank(x[:0]).tolist() == []


def test_most_of_the_images_in_colour_lose_it():
    grey, coloured = Item("a", drawing()), Item("b", Image.new("RGB", (9, 9), (200, 60, 10)))
    for images in (Images(1), Images(1, ink=False)):
        assert images.loses_colour([coloured] * 40 + [grey] * 10)
        assert not images.loses_colour([coloured] * 10 + [grey] * 40)
        assert not images.loses_colour([])
    assert not Images(3).loses_colour([coloured] * 3)
