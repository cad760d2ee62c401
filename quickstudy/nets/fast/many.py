"""Autograd functions of many tasks at once, for operations that are slow under torch's own ``vmap``."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
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
            of_tasks(x, dim, n).flatten(0, 1) if isinstance(x, Tensor) else x
            for x, dim in zip(inputs, in_dims, strict=True)
        ]
        out = cls.apply(*tensors)  # type: ignore[no-untyped-call]
        if isinstance(out, tuple):
            return tuple(t.unflatten(0, (n, -1)) for t in out), (0,) * len(out)
        return out.unflatten(0, (n, -1)), 0


def of_tasks(x: Tensor, dim: int | None, tasks: int) -> Tensor:
    """Move the axis of tasks to the front; what tasks share (``dim=None``) is expanded, not copied."""
    return x.expand(tasks, *x.shape) if dim is None else x.movedim(dim, 0)


def stack(images: Sequence[Tensor]) -> Tensor:
    """Stack the images of tasks, -> (tasks, n, channels, h, w), channels last in memory."""
    return torch.stack([x.permute(0, 2, 3, 1) for x in images]).permute(0, 1, 4, 2, 3)


def below_vmap(
    fn: Callable[[int, Sequence[int | None], Sequence[Any]], Sequence[Tensor]], inputs: Sequence[Any]
) -> Any:
    """Call a function below the innermost ``vmap``, where inputs are plain tensors of all tasks and autograd is fast.

    Args:
        fn: Function of the number of tasks, the axis of tasks of each input (None if it has none), and the inputs. Its
            results begin with an axis of tasks.
        inputs: Inputs, of which ``vmap`` maps at least one (see ``mapped_now``).

    Returns:
        Results of one task, a tuple.
    """
    return _Below.apply(fn, *inputs)  # type: ignore[no-untyped-call]


class _Below(Function):
    """Autograd function that is its rule for ``vmap`` alone."""

    @staticmethod
    def forward(*_: Any) -> Any:
        raise AssertionError("called outside of vmap")

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        raise AssertionError("called outside of vmap")

    @staticmethod
    def vmap(info: Any, in_dims: Sequence[int | None], fn: Callable[..., Any], *inputs: Any) -> tuple[Any, Any]:
        out = tuple(fn(info.batch_size, in_dims[1:], inputs))
        return out, (0,) * len(out)
