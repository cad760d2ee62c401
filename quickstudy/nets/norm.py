"""Batch normalisation inside tasks: the caller says whose statistics are used, and no forward pass changes the net.

Where the statistics come from decides whether a prediction is inductive. Over the whole batch, an answer depends on
the other queries (transductive). Over the support's rows alone, or over a population measured once on training data,
it depends on the support and that one query (inductive).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Literal, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from quickstudy.nets.block import conv_moments_and_pool

Statistics = int | Literal["batch", "population", "record"]
"""Of the first n rows, of all rows, as recorded, or of all rows while recording them."""

_statistics: ContextVar[Statistics] = ContextVar("statistics", default="population")


class BatchNorm(nn.Module):
    """Batch normalisation over every axis but the channels', with statistics that ``apply`` chooses.

    Args:
        width: Number of channels, the second axis of the input.
        eps: Added to the variance.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167; inductive and transductive use, Nichol et al. 2018, section 6.1,
    arXiv:1803.02999.

    >>> x = torch.tensor([[1.0], [3.0], [9.0]])
    >>> apply(BatchNorm(1), x, statistics=2).round(decimals=3).flatten().tolist()
    [-1.0, 1.0, 7.0]
    """

    mean: Tensor
    var: Tensor

    def __init__(self, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("var", torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        """Normalise (n, width, ...)."""
        source = _statistics.get()
        if source == "population":
            return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, eps=self.eps)
        shape = (1, self.width) + (1,) * (x.ndim - 2)
        if source == "batch":
            # Scaled outside: with a weight, torch's second derivative of batch_norm is wrong under vmap, by percents.
            z = F.batch_norm(x, None, None, training=True, eps=self.eps)
            return torch.addcmul(self.bias.view(shape), z, self.weight.view(shape))
        rows = x if source == "record" else x[:source]
        var, mean = torch.var_mean(rows, dim=[0, *range(2, x.ndim)], correction=0)
        if source == "record":
            self.mean.copy_(mean)
            self.var.copy_(var)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return torch.addcmul((self.bias - mean * scale).view(shape), x, scale.view(shape))

    def pooled(self, x: Tensor, weight: Tensor) -> Tensor:
        """``max_pool2d(norm(conv2d(x, weight, padding=1)), 2)``, at a quarter of the work.

        Normalising is increasing or, where its weight is negative, decreasing, so it can follow pooling: of the largest
        or the smallest pixel.

        Args:
            x: Images, (n, channels, height, width).
            weight: Of the convolution, (width, channels, 3, 3).
        """
        source = _statistics.get()
        if source == "population":  # nothing to measure: the norm is folded into the convolution
            scale = self.weight * torch.rsqrt(self.var + self.eps)
            folded = weight * scale.view(-1, 1, 1, 1)
            return F.max_pool2d(F.conv2d(x, folded, self.bias - self.mean * scale, padding=1), 2)
        rows = source if isinstance(source, int) else len(x)
        mean, var, pooled = conv_moments_and_pool(x, weight, self.weight.detach(), rows)
        if source == "record":
            self.mean.copy_(mean)
            self.var.copy_(var)
        scale = self.weight * torch.rsqrt(var + self.eps)
        shape = (1, self.width, 1, 1)
        return torch.addcmul((self.bias - mean * scale).view(shape), pooled, scale.view(shape))


def apply(net: nn.Module, x: Tensor, params: dict[str, Tensor] | None = None, *, statistics: Statistics) -> Tensor:
    """``net(x)``, with other parameters where given and with the batch statistics chosen.

    Args:
        net: Any module; those without ``BatchNorm`` ignore ``statistics``.
        x: Inputs, (n, *input).
        params: Replacements for the net's parameters, by name.
        statistics: "batch": of all rows of ``x``. An integer n: of the first n rows. "population": as recorded.
    """
    with normalised_by(statistics):
        return cast(Tensor, net(x) if params is None else functional_call(net, params, (x,)))


@contextmanager
def normalised_by(statistics: Statistics) -> Iterator[None]:
    """Whose statistics every ``BatchNorm`` inside uses: for what is more than one call of a net; see ``apply``.

    >>> with normalised_by("batch"):
    ...     z = BatchNorm(1)(torch.tensor([[1.0], [3.0]]))
    >>> z.round().flatten().tolist()
    [-1.0, 1.0]
    """
    token = _statistics.set(statistics)
    try:
        yield
    finally:
        _statistics.reset(token)


@torch.no_grad()
def record_population(net: nn.Module, x: Tensor) -> None:
    """Measure every ``BatchNorm``'s statistics on ``x`` and keep them as the population's.

    One exact pass takes the place of a running average, so training stays free of side effects.

    Source: precise batch statistics, Wu and Johnson 2021, section 3, arXiv:2105.07576.

    >>> norm = BatchNorm(1)
    >>> record_population(norm, torch.tensor([[1.0], [3.0]]))
    >>> norm.mean.item(), norm.var.item()
    (2.0, 1.0)
    """
    apply(net, x, statistics="record")
