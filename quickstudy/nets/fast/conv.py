"""3x3 convolution of many tasks, each with its own weight, as fast as for one task.

Under ``vmap``, torch's convolution is one convolution with a group per task. On a CPU, that copies images into the
layout of groups and back, which costs as much as the convolution. Here one task is computed after another, and a weight
that all tasks share is used in one convolution.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.nets.fast.many import ManyTasks, stack
from quickstudy.nets.fast.private import conv3x3_gradient, inside_transform


def conv3x3(x: Tensor, weight: Tensor) -> Tensor:
    """Return the convolution with padding 1, (n, channels, h, w) and (width, channels, 3, 3) -> (n, width, h, w).

    >>> import torch
    >>> x = torch.rand(2, 3, 4, 4)
    >>> weight = torch.rand(5, 3, 3, 3)
    >>> torch.allclose(conv3x3(x, weight), F.conv2d(x, weight, padding=1), atol=1e-5)
    True
    """
    if not inside_transform():
        return F.conv2d(x, weight, padding=1)
    kind = x.device.type
    if torch.is_autocast_enabled(kind):  # which does not see the gradients below: all must be of one number type
        x, weight = (t.to(torch.get_autocast_dtype(kind)) for t in (x, weight))
    return cast(Tensor, _Output.apply(x.unsqueeze(0), weight.unsqueeze(0))).squeeze(0)  # type: ignore[no-untyped-call]


class _Output(ManyTasks):
    @staticmethod
    def forward(x: Tensor, weight: Tensor) -> Tensor:
        return _each(lambda images, w: F.conv2d(images, w, padding=1), x, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        of_x, of_weight = ctx.needs_input_grad
        return _InputGrad.apply(g, weight) if of_x else None, _WeightGrad.apply(x, g) if of_weight else None  # type: ignore[no-untyped-call]


class _InputGrad(ManyTasks):
    @staticmethod
    def forward(g: Tensor, weight: Tensor) -> Tensor:
        def one(g: Tensor, w: Tensor) -> Tensor:
            return conv3x3_gradient(g, g.new_empty(1).expand(len(g), w.shape[1], *g.shape[2:]), w, 0)

        return _each(one, g, weight)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, Tensor | None]:
        g, weight = ctx.saved_tensors
        of_g, of_weight = ctx.needs_input_grad
        return _Output.apply(v, weight) if of_g else None, _WeightGrad.apply(v, g) if of_weight else None  # type: ignore[no-untyped-call]


class _WeightGrad(ManyTasks):
    @staticmethod
    def forward(x: Tensor, g: Tensor) -> Tensor:
        return stack(
            [
                conv3x3_gradient(g_, x_, g_.new_empty(1).expand(g.shape[2], x.shape[2], 3, 3), 1)
                for x_, g_ in zip(x, g, strict=True)
            ]
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor | None, Tensor | None]:
        x, g = ctx.saved_tensors
        of_x, of_g = ctx.needs_input_grad
        return _InputGrad.apply(g, v) if of_x else None, _Output.apply(x, v) if of_g else None  # type: ignore[no-untyped-call]


def _each(one: Callable[[Tensor, Tensor], Tensor], x: Tensor, weight: Tensor) -> Tensor:
    """Apply a function to each task's images and weight, (tasks, n, ...) -> (tasks, n, ...), channels last."""
    if len(x) == 1 or weight.stride(0) == 0:
        out = one(x.flatten(0, 1), weight[0])
        return out.view(*x.shape[:2], *out.shape[1:])
    return stack([one(*pair) for pair in zip(x, weight, strict=True)])
