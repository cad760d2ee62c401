"""Torch resizes as Pillow does."""

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy.inputs.resampling import BICUBIC, BOX, LANCZOS, resized, sides, whole

FILTERS = {"BOX": BOX, "BICUBIC": BICUBIC, "LANCZOS": LANCZOS}


@pytest.mark.parametrize("name", FILTERS)
def test_every_level_is_that_of_pillow(name):
    """Also where the height shrinks so much more than the width that newer versions begin with the rows."""
    rng = np.random.default_rng(0)
    for height, width in [(100, 150), (300, 200), (17, 300), (64, 64), (128, 128), (5, 3), (401, 101)]:
        pixels = rng.integers(0, 256, (height, width, 3), np.uint8)
        x = torch.from_numpy(pixels)
        for size in (28, 64):
            want = Image.fromarray(pixels).resize((size, size), Image.Resampling[name])
            rows, columns = (whole(side, size) for side in sides(x))
            found = resized(x, rows, columns, FILTERS[name]).numpy().transpose(1, 2, 0)
            np.testing.assert_array_equal(found, np.asarray(want), str((height, width, size)))
