"""Autograd functions of many tasks at once, for operations that are slow under torch's own ``vmap``."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function


class ManyTasks(Function):
    """Autograd function on tensors that all begin with an axis of tasks; ``vmap`` adds tasks to this axis."""

    def __init_subclass__(cls) -> None:
        # torch reads the signature at every call, and Python would derive it each time.
        cls.forward.__signature__ = inspect.signature(cls.forward)  # type: ignore[attr-defined]

    @classmethod
    def vmap(cls, info: Any, in_dims: Sequence[int | None], *inputs: Any) -> tuple[Any, Any]:
        """Compute the function for more tasks; what they share is expanded, not copied."""
        n = info.batch_size
        tensors = [
            (x.movedim(dim, 0) if dim is not None else x.expand(n, *x.shape)).flatten(0, 1)
            if isinstance(x, Tensor)
            else x
            for x, dim in zip(inputs, in_dims, strict=True)
        ]
        out = cls.apply(*tensors)  # type: ignore[no-untyped-call]
        if isinstance(out, tuple):
            return tuple(t.unflatten(0, (n, -1)) for t in out), (0,) * len(out)
        return out.unflatten(0, (n, -1)), 0


def stack(images: Sequence[Tensor]) -> Tensor:
    """Stack the images of tasks, -> (tasks, n, channels, h, w), channels last in memory."""
    return torch.stack([x.permute(0, 2, 3, 1) for x in images]).permute(0, 1, 4, 2, 3)
