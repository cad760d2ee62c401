import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.nn import functional as F

from quickstudy.nets.fast import first
from quickstudy.nets.norm import BatchNorm, Statistics, apply

SOURCES: list[Statistics] = [2, "batch", "population"]
CHANNELS = [1, 3, 6]  # unfolded, unfolded, convolved


class Block(nn.Module):
    """Convolution, batch norm and pooling, as a block of Conv4 has them or as one writes them."""

    def __init__(self, channels: int, *, pooled: bool = True) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(channels)
        self.weight = nn.Parameter(torch.randn(3, channels, 3, 3, dtype=torch.float64, generator=generator))
        self.norm = BatchNorm(3).double()
        self.pooled = pooled
        with torch.no_grad():
            self.norm.weight.copy_(torch.tensor([0.7, -1.3, 2.0]))
            self.norm.bias.copy_(torch.tensor([0.1, 0.2, -0.3]))
            self.norm.mean.copy_(torch.tensor([1.0, -1.0, 0.5]))
            self.norm.var.copy_(torch.tensor([1.5, 0.5, 2.0]))

    def forward(self, x: Tensor) -> Tensor:
        if self.pooled:
            return self.norm.pooled(x, self.weight)
        return F.max_pool2d(self.norm(F.conv2d(x, self.weight, padding=1)), 2)


def images(channels: int, n: int = 4) -> Tensor:
    return torch.randn(n, channels, 5, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(7))


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("statistics", SOURCES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_a_block_is_pooling_after_normalising_whatever_the_weights_sign(channels, statistics, layout):
    x = images(channels).contiguous(memory_format=layout)
    out = apply(Block(channels), x, statistics=statistics)
    close(out, apply(Block(channels, pooled=False), x, statistics=statistics))


@pytest.mark.parametrize("channels", CHANNELS)
def test_it_records_the_population_of_the_convolution(channels):
    block, usual = Block(channels), Block(channels, pooled=False)
    for net in (block, usual):
        apply(net, images(channels), statistics="record")
    close(block.norm.mean, usual.norm.mean)
    close(block.norm.var, usual.norm.var)


@pytest.mark.parametrize("portion", [1, 1 << 18])
@pytest.mark.parametrize("statistics", SOURCES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_first_and_second_derivatives_are_those_of_finite_differences(channels, statistics, portion, monkeypatch):
    monkeypatch.setattr(first, "CACHED", portion)
    block = Block(channels)
    names = list(dict(block.named_parameters()))

    def out(x: Tensor, *values: Tensor) -> Tensor:
        return apply(block, x, dict(zip(names, values, strict=True)), statistics=statistics)

    inputs = [t.detach().clone().requires_grad_() for t in (images(channels, 3), *block.parameters())]
    assert torch.autograd.gradcheck(out, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(out, inputs, fast_mode=True)


@pytest.mark.parametrize("statistics", SOURCES)
@pytest.mark.parametrize("channels", CHANNELS)
def test_second_derivatives_of_many_tasks_at_once_are_those_of_each_alone(channels, statistics):
    block, x = Block(channels), images(channels)
    tasks = torch.stack([x, x.flip(0) ** 2, x.sin()])

    def inner(params: dict[str, Tensor], x: Tensor) -> Tensor:
        return apply(block, x, params, statistics=statistics).sin().pow(2).sum()

    def outer(params: dict[str, Tensor], x: Tensor) -> Tensor:
        grads = grad(inner)(params, x)
        return inner({name: p - 0.1 * grads[name] for name, p in params.items()}, x)

    params = {name: p.detach() for name, p in block.named_parameters()}
    together = vmap(grad(outer, argnums=(0, 1)), in_dims=(None, 0))(params, tasks)
    for i, x in enumerate(tasks):
        of_params, of_x = grad(outer, argnums=(0, 1))(params, x)
        close(together[1][i], of_x)
        for name, g in of_params.items():
            close(together[0][name][i], g)
