"""Channel means and variances together with 2x2 max pooling, whose first two derivatives pass over the input seldom.

Normalising is per channel and increasing, so it can follow pooling, at a quarter of the work. What is left at full size
is this one function. Composed of torch's own, its second derivative passes over the images about three times as often,
and these passes cost more than the convolutions.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from torch.autograd import Function


def moments_and_pool(x: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Mean and variance of each channel over the first rows, and all rows max-pooled 2x2.

    Args:
        x: Images, (n, channels, height, width).
        rows: Whose statistics, 1 to n.

    Returns:
        Mean (channels,), variance (channels,) without Bessel's correction, and images of half the size.

    >>> mean, var, pooled = moments_and_pool(torch.arange(4.0).view(1, 1, 2, 2), 1)
    >>> mean.item(), var.item(), pooled.item()
    (1.5, 1.25, 3.0)
    """
    return cast(tuple[Tensor, Tensor, Tensor], _Reduce.apply(x, rows)[:3])  # type: ignore[no-untyped-call]


class _Reduce(Function):
    @staticmethod
    def forward(x: Tensor, rows: int) -> tuple[Tensor, ...]:
        pooled, where = torch.ops.aten.max_pool2d_with_indices(x, [2, 2])
        if x.device.type == "cpu":  # 10 to 30 times as fast as var_mean, which a GPU does well
            mean, var = torch.batch_norm_update_stats(x[:rows], None, None, 0.0)
        else:
            var, mean = torch.var_mean(x[:rows], (0, 2, 3), correction=0)
        return mean, var, pooled, where

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: tuple[Tensor, ...]) -> None:
        x, ctx.rows = inputs
        mean, _, _, where = output
        ctx.mark_non_differentiable(where)
        ctx.save_for_backward(x, mean, where)

    @staticmethod
    def backward(ctx: Any, g_mean: Tensor, g_var: Tensor, g_pooled: Tensor, _: Tensor) -> tuple[Tensor, None]:
        x, mean, where = ctx.saved_tensors
        n = ctx.rows * x.shape[2] * x.shape[3]
        slope = 2 * g_var / n
        return _Spread.apply(x, slope, g_mean / n - slope * mean, g_pooled, where, ctx.rows), None  # type: ignore[no-untyped-call]

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], x: Tensor, rows: int) -> tuple[Any, Any]:
        tasks = info.batch_size
        out = _Reduce.apply(_into_channels(x, in_dims[0], tasks, 1), rows)  # type: ignore[no-untyped-call]
        return tuple(_out_of_channels(t, tasks, dim) for t, dim in zip(out, (0, 0, 1, 1), strict=True)), (0, 0, 1, 1)


class _Spread(Function):
    """slope * x + offset at the first rows, and the pooled gradient added where its pixel came from."""

    @staticmethod
    def forward(x: Tensor, slope: Tensor, offset: Tensor, g_pooled: Tensor, where: Tensor, rows: int) -> Tensor:
        out = torch.empty_like(x, memory_format=torch.channels_last)  # so that _pixels are a view
        torch.addcmul(_channel(offset), x[:rows], _channel(slope), out=out[:rows])
        out[rows:] = 0
        _pixels(out).scatter_add_(1, _pixels(where), _pixels(g_pooled))
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x, slope, _, _, where, ctx.rows = inputs
        ctx.save_for_backward(x, slope, where)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        x, slope, where = ctx.saved_tensors
        n, c, height, width = where.shape
        g_pooled = _pixels(g).gather(1, _pixels(where)).view(n, height, width, c).permute(0, 3, 1, 2)
        first = g[: ctx.rows]
        g_x = first * _channel(slope)
        if ctx.rows < n:
            g_x = torch.cat([g_x, torch.zeros_like(g[ctx.rows :])])
        return g_x, (first * x[: ctx.rows]).sum((0, 2, 3)), first.sum((0, 2, 3)), g_pooled, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], *inputs: Any) -> tuple[Tensor, int]:
        tasks = info.batch_size
        where_channels = (1, 0, 0, 1, 1)
        tensors = [
            _into_channels(t, d, tasks, c) for t, d, c in zip(inputs[:5], in_dims[:5], where_channels, strict=True)
        ]
        return _out_of_channels(_Spread.apply(*tensors, inputs[5]), tasks, 1), 1  # type: ignore[no-untyped-call]


def _channel(t: Tensor) -> Tensor:
    return t.view(1, -1, 1, 1)


def _pixels(x: Tensor) -> Tensor:
    """(n, channels, height, width) as (n, height * width, channels)."""
    return x.permute(0, 2, 3, 1).flatten(1, 2)


def _into_channels(x: Tensor, dim: int | None, tasks: int, channel: int) -> Tensor:
    """Tasks as more channels: nothing here mixes channels."""
    if dim is None:
        x, dim = x.expand(tasks, *x.shape), 0
    if not channel:
        return x.movedim(dim, 0).flatten()
    return x.movedim(dim, -1).permute(0, 2, 3, 4, 1).flatten(3).permute(0, 3, 1, 2)


def _out_of_channels(x: Tensor, tasks: int, channel: int) -> Tensor:
    return x.view(*x.shape[:channel], tasks, -1, *x.shape[channel + 1 :])
