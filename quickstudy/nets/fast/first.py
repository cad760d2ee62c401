"""The first block's convolution, max pooling and statistics, without a full-size map in memory.

A convolution of few channels is a product with the unfolded images, patches @ weight. Its mean and variance follow from
those of the patches: mean @ weight and weight^T @ covariance @ weight. Pooling selects some rows of the product for
each channel, so it is as linear in the weight as the product. The product is computed for some images at a time, in
memory that stays in a CPU's cache. It is computed again for each derivative, which costs less than reading it from
memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.nets.fast.many import ManyTasks
from quickstudy.nets.fast.pooled import pool_into

CACHED = 1 << 18
"""Numbers of a product that are computed at a time: a megabyte."""


def patches(x: Tensor) -> Tensor:
    """Unfold images, (n, channels, h, w) -> (n, 9 * channels, h * w)."""
    return F.unfold(x, 3, padding=1)


def patch_moments(patches: Tensor, weight: Tensor, rows: int) -> tuple[Tensor, Tensor]:
    """Return mean and variance, without Bessel's correction, of each channel of the first rows' convolution."""
    first = patches[:rows]
    mean = first.mean((0, 2))
    first = first - mean.unsqueeze(1)
    covariance = (first @ first.mT).sum(0) / (rows * patches.shape[2])
    flat = weight.flatten(1)
    return flat @ mean, ((flat @ covariance) * flat).sum(1)


def pooled_product(patches: Tensor, weight: Tensor, sign: Tensor, height: int) -> Tensor:
    """Return ``max_pool2d(conv2d(x, weight, padding=1), 2)``, computed from the patches of images.

    In channels with a negative sign, the smallest of four pixels is taken instead of the largest. Images are ``height``
    pixels high.

    >>> x, weight = torch.rand(2, 1, 6, 6), torch.rand(4, 1, 3, 3)
    >>> expected = F.max_pool2d(F.conv2d(x, weight, padding=1), 2)
    >>> torch.allclose(pooled_product(patches(x), weight, torch.ones(4), 6), expected, atol=1e-6)
    True
    """
    out, _ = _Pooled.apply(patches.unsqueeze(0), weight.flatten(1).unsqueeze(0), sign.unsqueeze(0), height)  # type: ignore[no-untyped-call]
    width = patches.shape[-1] // height
    return cast(Tensor, out).view(len(patches), height // 2, width // 2, -1).permute(0, 3, 1, 2)


class _Pooled(ManyTasks):
    """Pooled product and the positions of its pixels, both (tasks, n, pooled pixels, width)."""

    @staticmethod
    def forward(patches: Tensor, weight: Tensor, sign: Tensor, height: int) -> tuple[Tensor, Tensor]:
        tasks, n, _, pixels = patches.shape
        shape = (tasks, n, height // 2, pixels // height // 2, weight.shape[1])
        out, where = patches.new_empty(shape), patches.new_empty(shape, dtype=torch.int64)
        scratch = _Scratch(patches, pixels, weight.shape[1])
        for t, some in scratch.portions(tasks, n):
            maps = scratch.product(patches[t, some], weight[t]).view(-1, height, pixels // height, weight.shape[1])
            pool_into(maps.permute(0, 3, 1, 2), sign[t], *(x[t, some].permute(0, 3, 1, 2) for x in (out, where)))
        return out.flatten(2, 3), where.flatten(2, 3)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        ctx.mark_non_differentiable(output[1])
        ctx.save_for_backward(*inputs[:2], output[1])

    @staticmethod
    def backward(ctx: Any, g: Tensor, _: Tensor) -> tuple[Tensor | None, ...]:
        return *_Picked.backward(ctx, g)[:2], None, None


class _Picked(ManyTasks):
    """Pixels at the same positions of another product."""

    @staticmethod
    def forward(patches: Tensor, weight: Tensor, where: Tensor) -> Tensor:
        out = patches.new_empty(where.shape)
        scratch = _Scratch(patches, patches.shape[3], weight.shape[1])
        for t, some in scratch.portions(*patches.shape[:2]):
            torch.gather(scratch.product(patches[t, some], weight[t]), 1, where[t, some], out=out[t, some])
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        patches, weight, where = ctx.saved_tensors
        of_patches, of_weight = ctx.needs_input_grad[:2]
        return (
            _PatchGrad.apply(g, weight, where, patches.shape[3]) if of_patches else None,  # type: ignore[no-untyped-call]
            _WeightGrad.apply(patches, g, where) if of_weight else None,  # type: ignore[no-untyped-call]
            None,
        )


class _WeightGrad(ManyTasks):
    """Gradient of the weight: the gradient at the selected pixels, times the patches there."""

    @staticmethod
    def forward(patches: Tensor, g: Tensor, where: Tensor) -> Tensor:
        out = patches.new_zeros(len(patches), g.shape[3], patches.shape[2])
        scratch = _Scratch(patches, patches.shape[3], g.shape[3])
        for t, some in scratch.portions(*patches.shape[:2]):
            maps = scratch.unpicked(g[t, some], where[t, some])
            out[t] += torch.bmm(patches[t, some], maps).sum(0).mT
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, ...]:
        patches, g, where = ctx.saved_tensors
        of_patches, of_g = ctx.needs_input_grad[:2]
        return (
            _PatchGrad.apply(g, v, where, patches.shape[3]) if of_patches else None,  # type: ignore[no-untyped-call]
            _Picked.apply(patches, v, where) if of_g else None,  # type: ignore[no-untyped-call]
            None,
        )


class _PatchGrad(ManyTasks):
    """Gradient of the patches."""

    @staticmethod
    def forward(g: Tensor, weight: Tensor, where: Tensor, pixels: int) -> Tensor:
        out = g.new_empty(*g.shape[:2], weight.shape[2], pixels)
        scratch = _Scratch(g, pixels, weight.shape[1])
        for t, some in scratch.portions(*g.shape[:2]):
            out[t, some] = (scratch.unpicked(g[t, some], where[t, some]) @ weight[t]).mT
        return out

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        ctx.save_for_backward(*inputs[:3])

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, ...]:
        g, weight, where = ctx.saved_tensors
        of_g, of_weight = ctx.needs_input_grad[:2]
        return (
            _Picked.apply(v, weight, where) if of_g else None,  # type: ignore[no-untyped-call]
            _WeightGrad.apply(v, g, where) if of_weight else None,  # type: ignore[no-untyped-call]
            None,
            None,
        )


class _Scratch:
    """Reused memory for full-size maps of some images at a time."""

    def __init__(self, like: Tensor, pixels: int, width: int) -> None:
        self.images = max(1, CACHED // (pixels * width))
        self.place = like.new_empty(self.images, pixels, width)

    def portions(self, tasks: int, n: int) -> Iterator[tuple[int, slice]]:
        """Yield each task with slices of its images that fit into the memory."""
        for t in range(tasks):
            for first in range(0, n, self.images):
                yield t, slice(first, first + self.images)

    def product(self, patches: Tensor, weight: Tensor) -> Tensor:
        """Multiply patches by a weight, (n, k, pixels) and (width, k) -> (n, pixels, width)."""
        n = len(patches)
        return torch.bmm(patches.mT, weight.mT.expand(n, -1, -1), out=self.place[:n])

    def unpicked(self, g: Tensor, where: Tensor) -> Tensor:
        """Return full-size maps with the gradient at the selected pixels, and zero elsewhere."""
        return self.place[: len(g)].zero_().scatter_(1, where, g)
