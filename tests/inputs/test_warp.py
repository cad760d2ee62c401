import pytest
import torch
from torch import Tensor

from quickstudy.inputs.warp import warped
from quickstudy.tasks.glyphs import draw_glyphs


@pytest.fixture(scope="module")
def images() -> Tensor:
    return draw_glyphs(range(10)).x[::20] / 255


def test_a_warp_of_nothing_is_the_image_and_one_of_something_keeps_its_ink_about(images):
    assert torch.allclose(warped(images, torch.zeros(len(images), 7)), images, atol=1e-5)
    other = warped(images, torch.full((len(images), 7), 0.9))
    assert (other - images).abs().mean() > 0.01
    assert ((other.sum((1, 2, 3)) / images.sum((1, 2, 3)) - 1).abs() < 0.6).all()


def test_a_turn_is_a_turn(images):
    """A quarter of 360 degrees would be 9 times the largest turn."""
    turned = warped(images, torch.tensor([[9.0, 0, 0, 0, 0, 0, 0]]).expand(len(images), 7))
    assert torch.allclose(turned, torch.rot90(images, 1, (2, 3)), atol=1e-4)
