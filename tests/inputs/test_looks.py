"""Drawings and photographs are distinguished: by what is made here, and by real ones where they are at hand."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter, ImageOps

from quickstudy.inputs.looks import MEASURES, is_drawing, measures
from quickstudy.inputs.photos import Photos
from quickstudy.tasks.digits import digits
from quickstudy.tasks.glyphs import draw_glyphs

PHOTOS = Path(__file__).parents[3] / "shared" / "data" / "photos"
GLYPHS = [Image.fromarray(255 - x[0].numpy()) for x in draw_glyphs(range(900_000, 900_012), 1, size=112).x]


def by_phone(image: Image.Image) -> Image.Image:
    """Return a small drawing, off the centre, on grey paper in uneven light, 1000 x 800, as a JPEG file."""
    rng = np.random.default_rng(0)
    page = Image.new("L", (1000, 800), "white")
    page.paste(image.resize((400, 400)), (450, 80))
    page = ImageOps.colorize(page, "#2b2b38", "#d9d5cc").filter(ImageFilter.GaussianBlur(1.2))
    light = np.linspace(1, 0.5, 1000)[None, :, None] * np.where(np.arange(800) < 500, 1, 0.8)[:, None, None]
    noise = rng.normal(0, 4, (800, 1000, 3))
    content = io.BytesIO()
    Image.fromarray((np.asarray(page) * light + noise).clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=75)
    return Image.open(content)


def scene(seed: int) -> Image.Image:
    """Return shaded balls of many colours before a landscape of rough tones, as a photograph has them."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:200, 0:300]
    rough = sum(
        np.kron(rng.normal(0, 12, (n, n, 1)), np.ones((240 // n, 300 // n, 1)))[:200, :300] for n in (12, 30, 60)
    )
    pixels = rng.uniform(60, 160, 3) + (y / 3)[..., None] * rng.uniform(0, 1, 3) + rough
    for _ in range(12):
        u, v, r = rng.uniform(0, 300), rng.uniform(0, 200), rng.uniform(15, 50)
        away = np.hypot(x - u, y - v) / r
        lit = 0.3 + 0.7 * np.sqrt(np.clip(1 - np.hypot(x - u + r / 3, y - v + r / 3) ** 2 / (2 * r) ** 2, 0, 1))
        ball = lit[..., None] * rng.uniform(40, 255, 3)
        pixels = np.where(away[..., None] < 1, ball + 0.3 * rough, pixels)
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(0.7))


CHANGES = {
    "black on white": lambda image: image,
    "white on black": ImageOps.invert,
    "as small as the net's input": lambda image: image.resize((28, 28), Image.Resampling.BOX),
    "blue on yellow": lambda image: ImageOps.colorize(image, "#1a3faa", "#f4ecc0"),
    "transparent": lambda image: Image.merge("LA", (Image.new("L", image.size, 0), ImageOps.invert(image))),
    "by a phone": by_phone,
}


@pytest.mark.parametrize("change", CHANGES)
def test_drawings(change):
    right = [is_drawing(CHANGES[change](image)) for image in GLYPHS]
    assert sum(right) >= len(right) - 1


def test_digits_are_drawings():
    images = [Image.fromarray(x[0].numpy()) for x in digits().x[::60]]
    assert sum(map(is_drawing, images)) >= len(images) - 1


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_scenes_are_photographs(mode):
    assert not any(is_drawing(scene(seed).convert(mode)) for seed in range(10))


def test_one_colour_and_one_pixel_have_measures():
    for image in (Image.new("L", (50, 50), 128), Image.new("RGB", (1, 1)), Image.new("1", (3, 400))):
        assert np.isfinite(measures(image)).all()
        assert len(measures(image)) == len(MEASURES)


def folder_of(path, *images):
    """Return a folder of one class."""
    (path / "class").mkdir(parents=True)
    for i, image in enumerate(images):
        image.save(path / "class" / f"{i:03}.png")
    return path


def test_the_majority_decides_for_a_folder(tmp_path):
    assert not Photos.recognises(folder_of(tmp_path / "drawings", *GLYPHS[:3], scene(0), scene(1)))
    assert not Photos.recognises(folder_of(tmp_path / "tie", *GLYPHS[:2], scene(0), scene(1)))
    assert Photos.recognises(folder_of(tmp_path / "photographs", GLYPHS[0], scene(0), scene(1)))


def test_pictures_that_decide_are_spread_over_the_folder(tmp_path):
    assert Photos.recognises(folder_of(tmp_path, *[GLYPHS[0]] * 20, *[scene(0)] * 30))


@pytest.mark.skipif(not PHOTOS.is_dir(), reason="no shared data here")
def test_shared_photographs():
    paths = [path for folder in sorted(PHOTOS.iterdir()) for path in sorted(folder.iterdir())[:3]]
    wrong = [path for path in paths if is_drawing(Image.open(path))]
    things = [path for path in wrong if path.parent.name not in ("snoopy", "yin_yang")]
    assert len(things) <= 0.02 * len(paths), things
    for folder in ("Motorbikes", "chair", "grand_piano"):  # on white
        assert Photos.recognises(PHOTOS / folder)
