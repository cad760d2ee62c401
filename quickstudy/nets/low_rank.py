"""Low-rank adapters: a net whose weights stay, plus changes of low rank that are learned."""

from __future__ import annotations

from operator import attrgetter
from typing import cast

from torch import Tensor, nn
from torch.func import functional_call

from quickstudy.errors import SettingError
from quickstudy.nets.fast.private import own_parameters
from quickstudy.tasks.tree import Tree

LAYERS = nn.Linear | nn.Conv1d | nn.Conv2d | nn.Conv3d
"""Layers whose weight has a row per output; that of a transposed convolution has a row per input."""


class LowRank(nn.Module):
    """A net with the weight W + B A in place of W, in each linear layer and convolution (not a transposed one).

    A starts from random numbers and B from zero, so at first the weights are exactly those of the net. All other
    parameters of the net stay. The factors are the parameters ``low_rank.*``: a learner whose inner loop changes these
    alone (``adapt_only="low_rank.*"``) meta-learns where they start.

    Args:
        net: Any net; its parameters no longer require gradients.
        rank: Number of rows of A.

    Raises:
        SettingError: The net has no linear layer and no convolution, or the rank is not positive. Or a layer computes
            its weight in each call, as under ``weight_norm``.

    Source: Hu et al. 2022, section 4.1, arXiv:2106.09685; a convolution's weight counts as a matrix with a row per
    output channel.

    >>> import torch
    >>> net = nn.Linear(3, 2)
    >>> x = torch.rand(4, 3)
    >>> torch.equal(LowRank(net)(x), net(x))
    True
    """

    def __init__(self, net: nn.Module, rank: int = 4) -> None:
        super().__init__()
        layers = [(name, m) for name, m in net.named_modules() if isinstance(m, LAYERS)]
        if not layers or rank < 1:
            raise SettingError(
                f"LowRank(rank={rank}) needs a net with a linear layer or a convolution (not a transposed one), "
                f"and a rank of at least 1"
            )
        for name, layer in layers:
            if own_parameters(layer).get("weight") is None:  # a factor would have no effect
                raise SettingError(
                    f"{type(layer).__name__} {name!r} computes its weight, as weight_norm does, so LowRank cannot "
                    f"change it; remove that first: torch.nn.utils.parametrize.remove_parametrizations(layer, 'weight')"
                )
        self.net, self.rank = net.requires_grad_(False), rank
        self.names = [f"{name}.weight".removeprefix(".") for name, _ in layers]
        factors = []
        for weight in (layer.weight for _, layer in layers):
            a = weight.new_empty(rank, weight[0].numel())
            factors += [nn.init.kaiming_uniform_(a, 5**0.5), weight.new_zeros(len(weight), rank)]
        self.low_rank = nn.ParameterList(nn.Parameter(factor) for factor in factors)

    @property
    def out_features(self) -> int:
        """Width of the net's output."""
        return cast(int, self.net.out_features)

    def forward(self, x: Tree) -> Tensor:
        """Return the outputs of the net with the changed weights."""
        factors, weights = list(self.low_rank), {}
        for name, a, b in zip(self.names, factors[::2], factors[1::2], strict=True):
            weight: Tensor = attrgetter(name)(self.net)
            weights[name] = weight + (b @ a).view(weight.shape)
        return cast(Tensor, functional_call(self.net, weights, (x,), tie_weights=False))
