"""Channel means and variances together with 2x2 max pooling, with fast first and second derivatives.

Composed of torch's own operations, the second derivative would pass over the images about three times as often. These
passes would cost more than the convolutions.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from quickstudy.nets.fast.many import ManyTasks
from quickstudy.nets.fast.private import channel_moments, max_pool_into


def moments_and_pool(x: Tensor, sign: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of each channel over the first rows, and all rows pooled 2x2.

    Args:
        x: Images, (n, channels, height, width).
        sign: Sign of each channel, (channels,). Where it is negative, the smallest of four pixels is taken, else the
            largest.
        rows: Number of rows that the statistics are taken from, 1 to n.

    Returns:
        Mean (channels,), variance (channels,) without Bessel's correction, and images of half the size.

    >>> mean, var, pooled = moments_and_pool(torch.arange(4.0).view(1, 1, 2, 2), torch.ones(1), 1)
    >>> mean.item(), var.item(), pooled.item()
    (1.5, 1.25, 3.0)
    """
    mean, var, pooled, _ = cast(tuple[Tensor, ...], _Reduce.apply(x.unsqueeze(0), sign.unsqueeze(0), rows))  # type: ignore[no-untyped-call]
    return mean.squeeze(0), var.squeeze(0), pooled.squeeze(0)


def pool_into(x: Tensor, sign: Tensor, out: Tensor, where: Tensor) -> None:
    """Pool one task's images 2x2 by each channel's sign into ``out``, and write positions of pixels to ``where``."""
    upside_down = bool((sign < 0).any())
    if upside_down:
        sign = torch.where(sign < 0, -1.0, 1.0).to(x.dtype).view(-1, 1, 1)
        x = x * sign
    max_pool_into(x, out, where)
    if upside_down:
        out *= sign


class _Reduce(ManyTasks):
    @staticmethod
    def forward(x: Tensor, sign: Tensor, rows: int) -> tuple[Tensor, ...]:
        tasks, n, channels, height, width = x.shape
        shape = (tasks, n, height // 2, width // 2, channels)
        pooled = x.new_empty(shape).permute(0, 1, 4, 2, 3)
        where = x.new_empty(shape, dtype=torch.int64).permute(0, 1, 4, 2, 3)
        moments = []
        for t in range(tasks):
            moments.append(channel_moments(x[t, :rows]))
            pool_into(x[t], sign[t], pooled[t], where[t])
        mean, var = zip(*moments, strict=True)
        return torch.stack(mean), torch.stack(var), pooled, where

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, ...]) -> None:
        x, _, ctx.rows = inputs
        mean, _, _, where = output
        ctx.mark_non_differentiable(where)
        ctx.save_for_backward(x, mean, where)

    @staticmethod
    def backward(ctx: Any, g_mean: Tensor, g_var: Tensor, g_pooled: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        x, mean, where = ctx.saved_tensors
        n = ctx.rows * x.shape[3] * x.shape[4]
        slope = 2 * g_var / n
        return _Spread.apply(x, slope, g_mean / n - slope * mean, g_pooled, where, ctx.rows), None, None  # type: ignore[no-untyped-call]


class _Spread(ManyTasks):
    """Sum of slope * x + offset at the first rows, and of the pooled gradient at the position of its pixel."""

    @staticmethod
    def forward(x: Tensor, slope: Tensor, offset: Tensor, g_pooled: Tensor, where: Tensor, rows: int) -> Tensor:
        out = torch.empty_like(x.permute(0, 1, 3, 4, 2), memory_format=torch.contiguous_format).permute(0, 1, 4, 2, 3)
        for o, images, a, b, g, pixels in zip(out, x, slope, offset, g_pooled, where, strict=True):
            torch.addcmul(b.view(-1, 1, 1), images[:rows], a.view(-1, 1, 1), out=o[:rows])
            o[rows:] = 0
            _pixels(o).scatter_add_(1, _pixels(pixels), _pixels(g))
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, slope, _, _, where, ctx.rows = inputs
        ctx.save_for_backward(x, slope, where)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, slope, where = ctx.saved_tensors
        tasks, n, c, height, width = where.shape
        pixels = _pixels(where.flatten(0, 1))
        g_pooled = _pixels(g.flatten(0, 1)).gather(1, pixels).view(tasks, n, height, width, c).permute(0, 1, 4, 2, 3)
        first = g[:, : ctx.rows]
        g_x = first * slope.view(tasks, 1, c, 1, 1)
        if ctx.rows < n:
            g_x = torch.cat([g_x, torch.zeros_like(g[:, ctx.rows :])], 1)
        g_slope = (first * x[:, : ctx.rows]).sum((1, 3, 4))
        return g_x, g_slope, first.sum((1, 3, 4)), g_pooled, None, None


def _pixels(x: Tensor) -> Tensor:
    """Reshape maps, (n, channels, height, width) -> (n, height * width, channels)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)
