"""Photographs are cropped, mirrored and recoloured, each by its own numbers and within the published ranges."""

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.inputs.augment import augmented


def numbers(n: int = 1, **given: float) -> Tensor:
    names = ("down", "right", "mirror", "brightness", "contrast", "saturation")
    return torch.tensor([[given.get(name, 0.0) for name in names]]).expand(n, -1)


@pytest.fixture(scope="module")
def x() -> Tensor:
    return torch.rand(5, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def test_zeros_change_nothing(x):
    assert torch.allclose(augmented(x, numbers(5)), x, atol=1e-6)


@pytest.mark.parametrize(("size", "most"), [(32, 4), (84, 10), (6, 0)])
def test_a_crop_moves_by_at_most_an_eighth_and_the_margin_is_black(size, most):
    x = torch.rand(1, 3, size, size) / 2 + 0.25
    for down, right in ((1, -1), (-1, 1), (0.999999, -0.999999)):
        crop = augmented(x, numbers(down=down, right=right))
        expected = torch.zeros_like(x)
        if down > 0:  # the crop lies lower and further left, so that rows are lost above and a margin comes from below
            expected[..., : size - most, most:] = x[..., most:, : size - most]
        else:
            expected[..., most:, : size - most] = x[..., : size - most, most:]
        assert torch.allclose(crop, expected, atol=1e-6)


def test_every_place_of_a_crop_is_as_likely():
    x = torch.zeros(9000, 3, 32, 32)
    x[:, :, 16, 16] = 1
    draws = torch.rand(9000, 6, generator=torch.Generator().manual_seed(1)) * 2 - 1
    draws[:, 3:] = 0
    place = augmented(x, draws)[:, 0].flatten(1).argmax(1)
    counts = torch.bincount(place // 32)[12:21]
    assert len(torch.bincount(place // 32)) == 21
    assert ((counts / 1000 - 1).abs() < 0.15).all()
    mirrored = draws[:, 2] < 0
    assert 0.45 < mirrored.float().mean() < 0.55


def test_a_mirror_image_is_one(x):
    assert torch.allclose(augmented(x, numbers(5, mirror=-0.5)), x.flip(-1), atol=1e-6)
    assert torch.allclose(augmented(x, numbers(5, mirror=0.5)), x, atol=1e-6)


@pytest.mark.parametrize("by", [-1.0, 1.0])
def test_colours_change_as_pillow_changes_them(x, by):
    levels = (x * 255).round()
    for name, change in (
        ("brightness", ImageEnhance.Brightness),
        ("contrast", ImageEnhance.Contrast),
        ("saturation", ImageEnhance.Color),
    ):
        changed = augmented(levels / 255, numbers(5, **{name: by})) * 255
        for image, result in zip(levels, changed, strict=True):
            picture = Image.fromarray(image.permute(1, 2, 0).byte().numpy())
            expected = np.asarray(change(picture).enhance(1 + 0.4 * by)).transpose(2, 0, 1)
            assert np.abs(expected - result.numpy()).max() <= 1.5, name


def test_each_image_is_changed_by_its_own_numbers(x):
    draws = torch.rand(5, 6, generator=torch.Generator().manual_seed(2)) * 2 - 1
    together = augmented(x, draws)
    assert torch.equal(together, torch.cat([augmented(x[i : i + 1], draws[i : i + 1]) for i in range(5)]))
    assert ((together >= 0) & (together <= 1)).all()


@pytest.mark.parametrize("shape", [(1, 28, 28), (9,), (4, 8, 8)])
def test_what_is_not_in_colour_is_refused(shape):
    with pytest.raises(SettingError, match=r"augment = True: inputs of shape .* are no colour images"):
        augmented(torch.rand(2, *shape), numbers(2))
