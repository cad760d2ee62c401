import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import MAML, Prototypical
from quickstudy.nets import NETS, ResNet12, apply
from quickstudy.nets.resnet12 import DropBlock
from quickstudy.testing import check_learner


def images(n: int, channels: int, size: int) -> Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("size", [16, 21, 37])
def test_it_is_four_residual_blocks_of_three_convolutions(size):
    torch.manual_seed(0)
    net, x = ResNet12(2, size, 2).double().eval(), images(5, 2, size)
    z = x
    for block in net.blocks:
        residual = F.conv2d(z, block.shortcut[0].weight)
        residual = F.batch_norm(residual, None, None, training=True)
        for i, conv in enumerate(block.convs):
            z = F.batch_norm(F.conv2d(z, conv.weight, padding=1), None, None, training=True)
            z = F.leaky_relu(z if i < 2 else z + residual, 0.1)
        z = F.max_pool2d(z, 2)
    torch.testing.assert_close(apply(net, x, statistics="batch"), z.mean((2, 3)), rtol=1e-9, atol=1e-9)


def test_the_published_sizes():
    net = ResNet12()
    assert (net.out_features, net.width) == (640, 64)
    assert [block.convs[0].weight.shape[0] for block in net.blocks] == [64, 160, 320, 640]
    assert [(drop.square, drop.drop) for drop in net.drops] == [(1, 0.1), (1, 0.1), (5, 0.1), (5, 0.1)]
    convs = sum(9 * (a * b + 2 * b * b) + a * b for a, b in ((3, 64), (64, 160), (160, 320), (320, 640)))
    assert sum(p.numel() for p in net.parameters()) == convs + 4 * 2 * (64 + 160 + 320 + 640)
    assert NETS["resnet12"] is ResNet12


def test_images_too_small_to_be_halved_four_times_are_refused():
    with pytest.raises(SettingError, match="size=15"):
        ResNet12(size=15)


@pytest.mark.parametrize(("size", "square"), [(8, 1), (8, 3), (10, 5), (3, 5)])
def test_dropped_are_whole_squares_and_the_rest_is_scaled_to_the_share_kept(size, square):
    drop = DropBlock(16, size, 0.3, square).double()
    x = images(6, 16, size).abs() + 1
    out = drop(x)
    square = min(square, size)
    for before, after in zip(x, out, strict=True):
        dropped = (after == 0).double()
        whole = F.avg_pool2d(dropped[None], square, stride=1) > 1 - 1e-9  # corners of squares that are all zero
        covered = F.conv_transpose2d(whole.double(), torch.ones(16, 1, square, square).double(), groups=16)
        assert torch.equal(covered[0] > 0, dropped > 0)
        torch.testing.assert_close(after, before * (1 - dropped) / (1 - dropped).mean())


@pytest.mark.parametrize("square", [1, 3])
def test_squares_begin_as_often_as_the_papers_gamma_says(square):
    drop = DropBlock(64, 12, 0.2, square)
    assert drop.gamma == pytest.approx(0.2 / square**2 * 12**2 / (12 - square + 1) ** 2)
    assert drop.table.shape == (64, 13 - square, 13 - square)


def test_the_share_that_is_dropped_is_the_rate():
    drop = DropBlock(64, 12, 0.2, 1).double()
    assert (drop(images(40, 64, 12)) == 0).double().mean().item() == pytest.approx(0.2, abs=0.005)


def test_every_image_has_a_mask_of_its_own_that_depends_on_nothing_else():
    drop = DropBlock(16, 8, 0.3, 2).double()
    x = images(6, 16, 8)
    masks = drop(x) == 0
    assert all(not torch.equal(masks[0], mask) for mask in masks[1:])
    assert torch.equal(masks[2:3], drop(x[2:3]) == 0)
    assert not torch.equal(masks[0], (drop(1.001 * x) == 0)[0])


def test_masks_of_two_images_are_as_unlike_as_chance_has_it():
    drop = DropBlock(64, 8, 0.2, 1).double()
    kept = (drop(images(40, 64, 8)) != 0).double().flatten(1)
    both = (kept @ kept.T / kept.shape[1])[torch.ones(40, 40).triu(1) > 0].mean().item()
    assert both == pytest.approx(0.8**2, abs=0.02)


def test_outside_of_training_or_at_rate_0_nothing_is_dropped():
    x = images(2, 4, 8)
    assert DropBlock(4, 8, 0.3, 2).double().eval()(x) is x
    assert DropBlock(4, 8, 0.0, 2).double()(x) is x


def test_the_table_is_no_weight():
    assert not [name for name in ResNet12(size=16, width=2).state_dict() if "table" in name]


def test_learners_on_it_keep_the_laws():
    torch.manual_seed(0)
    check_learner(Prototypical(ResNet12(1, 16, 2)))
    check_learner(MAML(ResNet12(1, 16, 2), 3))
