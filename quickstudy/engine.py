"""Many tasks at once on this device."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor

from quickstudy.tasks.task import Examples, Task

Engine = Literal["auto", "vmap", "loop"]

CACHE_NUMBERS = 1 << 17
"""Input numbers that one vmap over tasks takes on a CPU: beyond, activations leave the cache and vmap loses."""


def map_tasks(
    fn: Callable[[Task], Tensor], tasks: Task, *, engine: Engine = "auto", chunk_size: int | None = None
) -> Tensor:
    """``fn`` of every task of a batch, stacked.

    Args:
        fn: Function of one task, pure.
        tasks: A batch of tasks.
        engine: "vmap" takes tasks together, "loop" one after another; "auto" is vmap where
            it takes more than one.
        chunk_size: Tasks that one vmap takes; by default all on a GPU, and what fits a CPU's cache.

    >>> tasks = Task(*(Examples(torch.ones(3, 2, 1), torch.ones(3, 2, 1)) for _ in range(2)))
    >>> map_tasks(lambda task: task.query.x.sum(), tasks)
    tensor([2., 2., 2.])
    """
    if chunk_size is None and not tasks.query.x.is_cuda:
        numbers = tasks.support.x[0].numel() + tasks.query.x[0].numel()
        chunk_size = max(1, CACHE_NUMBERS // max(1, numbers))
    if engine == "loop" or (engine == "auto" and (chunk_size == 1 or len(tasks) == 1)):
        return torch.stack([fn(tasks.at(i)) for i in range(len(tasks))])

    def flat(sx: Tensor, sy: Tensor, qx: Tensor, qy: Tensor) -> Tensor:
        return fn(Task(Examples(sx, sy), Examples(qx, qy)))

    mapped: Callable[..., Tensor] = torch.vmap(flat, chunk_size=chunk_size)
    return mapped(*tasks.support, *tasks.query)
