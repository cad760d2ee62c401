import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import MAML, CosineBaseline, Prototypical
from quickstudy.nets import NETS, ResNet6, apply
from quickstudy.testing import check_learner, noise_tasks
from quickstudy.training.engine import map_tasks


def images(n: int, channels: int, size: int) -> Tensor:
    return torch.randn(n, channels, size, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def normal(x: Tensor) -> Tensor:
    return F.batch_norm(x, None, None, training=True)


@pytest.mark.parametrize("size", [4, 13, 28])
def test_it_is_a_convolution_two_residual_blocks_and_a_linear_map_of_every_pixel(size):
    torch.manual_seed(0)
    net, x = ResNet6(2, size, 3, out_features=5).double(), images(6, 2, size)
    z = F.relu(normal(F.conv2d(x, net.conv.weight, padding=1)))
    for block in net.blocks:
        z = F.max_pool2d(z, 2)
        first, second = block.convs
        inner = normal(F.conv2d(F.relu(normal(F.conv2d(z, first.weight, padding=1))), second.weight, padding=1))
        z = F.relu(inner + normal(F.conv2d(z, block.shortcut[0].weight)))
    expected = normal(z.flatten(1) @ net.linear.weight.T) / 4
    torch.testing.assert_close(apply(net, x, statistics="batch"), expected, rtol=1e-9, atol=1e-9)


def test_it_tells_a_stroke_here_from_the_same_stroke_there():
    torch.manual_seed(0)
    net = ResNet6(width=4).double()
    here = torch.zeros(1, 1, 28, 28, dtype=torch.float64)
    here[..., 8:12, 8:12] = 1
    x = torch.cat([here, here.roll(8, 3), images(8, 1, 28)])
    a, b = apply(net, x, statistics="batch")[:2]
    assert (a - b).norm() > 0.1 * a.norm()


def test_its_sizes():
    net = ResNet6()
    assert [block.convs[1].weight.shape[:2] for block in net.blocks] == [(48, 48), (96, 96)]
    assert net.linear.weight.shape == (256, 96 * 49)
    assert NETS["resnet6"] is ResNet6


def test_images_too_small_to_be_halved_twice_are_refused():
    with pytest.raises(SettingError, match="size=3"):
        ResNet6(size=3)


def test_learners_keep_their_laws_with_it():
    net = ResNet6(1, 8, 2, out_features=6)
    check_learner(Prototypical(net))
    check_learner(CosineBaseline(net, n_classes=64, head_steps=2))
    check_learner(MAML(net, n_way=5, inner_lr=0.1))


def test_tasks_together_in_mixed_precision_give_the_loss_and_gradient_of_one_after_another():
    torch.manual_seed(0)
    learner = Prototypical(ResNet6(1, 8, 4, out_features=6))
    tasks = noise_tasks(learner)
    results = []
    for engine in ("vmap", "loop"):
        learner.zero_grad()
        with torch.autocast("cpu", torch.bfloat16):
            loss = map_tasks(learner.meta_loss, tasks, engine=engine).mean()
        loss.backward()
        results.append((loss.detach(), learner.net.conv.weight.grad))
    (together, g), (alone, g_alone) = results
    torch.testing.assert_close(together, alone, rtol=0.02, atol=0)
    assert (g - g_alone).norm() < 0.3 * g_alone.norm()  # rounding alone moves it by 0.2
