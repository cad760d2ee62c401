"""A module encodes a picture as its inputs do."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw

from quickstudy.inputs.encoders import ENCODERS
from quickstudy.inputs.images import Images
from quickstudy.inputs.photo_encoder import PhotoEncoder
from quickstudy.inputs.photos import Photos
from tests.inputs.drawings import drawing
from tests.inputs.test_photos import scene

SIZES = [(105, 105), (110, 131), (150, 120), (28, 28), (16, 16), (12, 6), (1, 3)]


def well_framed(size: tuple[int, int], paper, ink) -> Image.Image:
    """Return a page with a ring in its middle."""
    page, radius = Image.new("RGB", size, paper), 0.3 * max(size)
    box = [middle + step for step in (-radius, radius) for middle in (size[0] / 2, size[1] / 2)]
    ImageDraw.Draw(page).ellipse(box, outline=ink, width=max(1, max(size) // 16))
    return page


@pytest.mark.parametrize(
    "images", [Images(), Images(size=16), Images(3, 20), Images(3, 32, False), Images(1, 12, False)]
)
def test_images_are_encoded_to_the_level(images):
    module = images.module()
    pictures = [well_framed(size, *c) for size in SIZES for c in [("white", "black"), ((9, 30, 90), "yellow")]]
    pictures += [scene(0).resize(size) for size in SIZES] if not images.ink else [drawing((28, 28), 0, 255)]
    for picture in pictures:
        picture = picture.convert("RGB")
        want = images.encode(images.items([picture])).float() / 255
        assert torch.equal(module(torch.from_numpy(np.array(picture))), want), picture.size


def test_photographs_are_encoded_alike():
    photos = Photos()
    module = photos.module()
    for picture in (scene(0), scene(1).resize((90, 300)), scene(2).resize((700, 231)), scene(3).resize((224, 224))):
        want = photos.encode(photos.items([picture]))
        torch.testing.assert_close(module(torch.from_numpy(np.array(picture))), want, atol=1e-6, rtol=0)


def test_an_encoder_that_prepares_by_itself_has_no_module():
    class Own(PhotoEncoder):
        def __init__(self):
            super().__init__(torch.nn.Flatten(), size=2)

        def prepared(self, image):
            return np.asarray(image.resize((2, 2)))

    ENCODERS.register("own", Own)
    assert Photos.encoded_by("own").module() is None
