"""A drawing is encoded alike however it lies on its page; a drawing that is framed well is not touched."""

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from quickstudy import ClassDataset, Classifier, digits, load
from quickstudy.inputs.framing import frame
from quickstudy.inputs.images import Images
from quickstudy.tasks.glyphs import draw_glyphs

GLYPHS = draw_glyphs(range(920_000, 920_005), 10, size=84)


def page(x) -> Image.Image:
    return Image.fromarray(255 - x[0].numpy())


def small(image: Image.Image) -> Image.Image:
    paper = Image.new("L", (300, 300), "white")
    paper.paste(image, (20, 150))
    return paper


def shaded(image: Image.Image) -> Image.Image:
    light = np.linspace(1, 0.4, image.width)[None]
    return Image.fromarray((np.asarray(image) * light).astype(np.uint8))


def bordered(image: Image.Image) -> Image.Image:
    result = image.copy()
    ImageDraw.Draw(result).rectangle((0, 0, 5, image.height), fill=20)
    ImageDraw.Draw(result).rectangle((0, 0, image.width, 5), fill=20)
    ImageDraw.Draw(result).rectangle((image.width - 6, 0, image.width, image.height), fill=20)
    return result


DISTURBED = {
    "frame of one pixel": lambda image: ImageOps.expand(image, 1, 0),
    "border on three sides": bordered,
    "a third as wide": small,
    "light falls": shaded,
    "light falls on a small drawing": lambda image: shaded(small(image)),
    "inverted and small": lambda image: ImageOps.invert(small(image)),
}


@pytest.fixture(scope="module")
def classifier():
    images = Images()
    rows = [i for i in range(len(GLYPHS.x)) if i % 10 < 5]
    x = images.encode(images.items([page(GLYPHS.x[i]) for i in rows]))
    return Classifier(load("glyphs-proto"), images, ClassDataset(x, GLYPHS.y[rows], GLYPHS.names))


@pytest.mark.parametrize("name", DISTURBED)
def test_the_answer_does_not_depend_on_frame_light_and_place(classifier, name):
    rows = [i for i in range(len(GLYPHS.x)) if i % 10 >= 5]
    labels = [GLYPHS.names[GLYPHS.y[i]] for i in rows]
    clean = classifier.predict([page(GLYPHS.x[i]) for i in rows])
    disturbed = classifier.predict([DISTURBED[name](page(GLYPHS.x[i])) for i in rows])
    assert np.mean([a == b for a, b in zip(clean, labels, strict=True)]) > 0.95
    assert np.mean([a == b for a, b in zip(disturbed, labels, strict=True)]) >= 0.9


def test_a_drawing_that_is_framed_well_is_returned_itself():
    pages = [page(x) for x in GLYPHS.x]
    assert np.mean([frame(each).image is each for each in pages]) > 0.9


@pytest.mark.parametrize("i", [1, 2, 3, 4])
def test_a_drawing_with_a_thick_pen_is_returned_itself(i):
    drawing = page(digits().x[i]).resize((400, 400), Image.Resampling.BICUBIC)
    assert frame(drawing) == (drawing, None)


def test_encoding_what_is_encoded_changes_nothing():
    images = Images()
    x = images.encode(images.items([small(page(each)) for each in GLYPHS.x[:10]]))
    assert (images.encode(images.items(list(x.numpy()))) == x).all()


def test_a_speck_on_an_empty_page_is_doubtful():
    paper = Image.new("L", (105, 105), "white")
    ImageDraw.Draw(paper).rectangle((40, 50, 42, 52), fill=0)
    assert frame(paper).doubt == "the drawing is hardly more than a dot"
