"""Many tasks at once on this device."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from contextlib import suppress
from typing import Literal

import torch
from torch import Tensor

from quickstudy.tasks.task import Examples, Task

Engine = Literal["auto", "vmap", "loop"]

VMAP_NUMBERS = 1 << 20
"""Input numbers that one vmap over tasks takes on a CPU: beyond, it gains no more and needs more memory."""

FEWEST = 4
"""Tasks that vmap is worth its overhead for, on a CPU."""


def map_tasks(
    fn: Callable[[Task], Tensor], tasks: Task, *, engine: Engine = "auto", chunk_size: int | None = None
) -> Tensor:
    """``fn`` of every task of a batch, stacked.

    Args:
        fn: Function of one task, pure.
        tasks: A batch of tasks.
        engine: "vmap" takes tasks together, "loop" one after another; "auto" is vmap where it takes more than one.
        chunk_size: Tasks that one vmap takes; by default all on a GPU, and a million input numbers' worth on a CPU.

    >>> tasks = Task(*(Examples(torch.ones(3, 2, 1), torch.ones(3, 2, 1)) for _ in range(2)))
    >>> map_tasks(lambda task: task.query.x.sum(), tasks)
    tensor([2., 2., 2.])
    """
    chunk_size = chunk_size or _chunk_size(tasks)
    if engine == "loop" or (engine == "auto" and min(chunk_size, len(tasks)) == 1):
        return torch.stack([fn(tasks.at(i)) for i in range(len(tasks))])

    def flat(sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
        return fn(Task(Examples(sx, sy), Examples(qx, qy)))

    mapped: Callable[..., Tensor] = torch.vmap(flat, chunk_size=chunk_size)
    return mapped(*tasks.support, *tasks.query)


def backward(
    fn: Callable[[Task], Tensor],
    tasks: Task,
    total: int | None = None,
    *,
    engine: Engine = "auto",
    chunk_size: int | None = None,
) -> Tensor:
    """Add the gradient of the mean of ``fn`` over tasks to the parameters' ``.grad``, chunk by chunk.

    Memory is that of one chunk's graph, whatever the number of tasks.

    Args:
        fn: Scalar function of one task, pure.
        tasks: A batch of tasks.
        total: What the sum is divided by; the number of tasks if None, more where others hold the rest of a batch.
        engine: As in ``map_tasks``.
        chunk_size: As in ``map_tasks``.

    Returns:
        The mean, a scalar without a graph.

    >>> weight = torch.ones(1, requires_grad=True)
    >>> tasks = Task(*(Examples(torch.ones(3, 2, 1), torch.ones(3, 2, 1)) for _ in range(2)))
    >>> backward(lambda task: (weight * task.query.x).sum(), tasks), weight.grad
    (tensor(2.), tensor([2.]))
    """
    total = total or len(tasks)
    chunk_size = 1 if engine == "loop" else chunk_size or _chunk_size(tasks)
    mean = tasks.query.x.new_zeros(())
    for first in range(0, len(tasks), chunk_size):
        if chunk_size == 1:
            loss = fn(tasks.at(first)) / total
        else:
            part = tasks.at(slice(first, first + chunk_size))
            loss = map_tasks(fn, part, engine=engine, chunk_size=chunk_size).sum() / total
        loss.backward()  # type: ignore[no-untyped-call]
        mean = mean + loss.detach()
    return mean


def keep_memory() -> None:
    """Have glibc keep what a step frees for the next one, which needs as much; else the system zeroes it all anew."""
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD


def describe() -> str:
    """What "auto" does on this machine."""
    if torch.cuda.is_available():
        return "vmap over all tasks"
    return f"vmap over as many tasks as have {VMAP_NUMBERS} input numbers, a loop where these are fewer than {FEWEST}"


def _chunk_size(tasks: Task) -> int:
    if tasks.query.x.is_cuda or not len(tasks):
        return max(1, len(tasks))
    if len(tasks) < FEWEST:
        return 1
    numbers = tasks.support.x[0].numel() + tasks.query.x[0].numel()
    together = VMAP_NUMBERS // max(1, numbers)
    return together if together >= FEWEST else 1
