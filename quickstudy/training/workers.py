"""Several processes that train one learner: each computes its share of a step's tasks, and gradients are summed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from quickstudy.errors import SettingError, WorkerLost, one_line
from quickstudy.tasks.task import Task, UnequalTasks

Batch = TypeVar("Batch", Task, UnequalTasks, Task | UnequalTasks)

ENVIRONMENT = {"OMP_NUM_THREADS": "1"}
"""Environment variables of a worker."""


@dataclass(frozen=True)
class Workers:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: Number of this process, from 0; process 0 writes files and shows progress.
        size: Number of processes.
    """

    rank: int = 0
    size: int = 1

    def share(self, tasks: Batch) -> Batch:
        """Return this process's tasks of a batch: every ``size``-th, starting at ``rank``.

        >>> from quickstudy.tasks.task import Examples
        >>> tasks = torch.arange(5)[:, None, None]
        >>> Workers(1, 2).share(Task(*[Examples(tasks, tasks)] * 2)).support.x.flatten().tolist()
        [1, 3]
        """
        return tasks.at(slice(self.rank, None, self.size))

    def share_of(self, each: list[int]) -> list[int]:
        """Return this process's entries of a list with one entry per task."""
        return each[self.rank :: self.size]

    def sum(self, tensors: list[Tensor]) -> None:
        """Replace each tensor by its sum over all processes, in one exchange."""
        if self.size > 1 and tensors:
            flat = torch.cat([t.flatten() for t in tensors])
            with _lost_workers():
                dist.all_reduce(flat)
            for t, total in zip(tensors, torch.split(flat, [t.numel() for t in tensors]), strict=True):
                t.copy_(total.view_as(t))

    def gather(self, values: list[float]) -> list[float]:
        """Return the values of all tasks, in their order, from those of each process's share."""
        if self.size == 1:
            return values
        shares: list[list[float]] = [[]] * self.size
        with _lost_workers():
            dist.all_gather_object(shares, values)
        return [shares[i % self.size][i // self.size] for i in range(sum(map(len, shares)))]

    def agree(self, number: int) -> int:
        """Return the largest of the processes' numbers, so that all of them act on it at the same step."""
        if self.size == 1:
            return number
        largest = torch.tensor(number)
        with _lost_workers():
            dist.all_reduce(largest, dist.ReduceOp.MAX)
        return int(largest)


ALONE = Workers()


def check_shares(tasks_per_step: int, workers: int) -> None:
    """Refuse more workers than tasks per step.

    >>> check_shares(tasks_per_step=16, workers=2)
    """
    if tasks_per_step < workers:
        raise SettingError(
            f"tasks_per_step={tasks_per_step} leaves some of {workers} workers idle; raise it or use fewer workers"
        )


@contextmanager
def _lost_workers() -> Iterator[None]:
    """Context that reports a failed exchange as the loss of another process."""
    try:
        yield
    except RuntimeError as error:
        raise WorkerLost(f"another worker ended or does not respond: {one_line(error)}") from error


@contextmanager
def join(timeout: float = 600.0) -> Iterator[Workers]:
    """Join the processes that ``torchrun`` or ``--workers`` started, if there are any.

    NCCL sums tensors on GPUs, gloo those on CPUs.

    Args:
        timeout: Seconds to wait for the other processes.
    """
    if "WORLD_SIZE" not in os.environ:
        yield ALONE
        return
    gpus = torch.cuda.device_count()
    with torch.cuda.device(int(os.environ["LOCAL_RANK"]) % gpus) if gpus else nullcontext():
        dist.init_process_group(
            "cpu:gloo,cuda:nccl" if gpus else "gloo",
            init_method=Path(os.environ["MEETING_FILE"]).as_uri() if "MEETING_FILE" in os.environ else "env://",
            rank=int(os.environ["RANK"]),
            world_size=int(os.environ["WORLD_SIZE"]),
            timeout=timedelta(seconds=timeout),
        )
        try:
            yield Workers(dist.get_rank(), dist.get_world_size())
        finally:
            dist.destroy_process_group()
