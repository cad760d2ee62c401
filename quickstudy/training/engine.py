"""Functions of many tasks at once, by ``vmap`` or by a loop."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError, one_line
from quickstudy.learners.base import exact
from quickstudy.learners.draws import same, seeded, states
from quickstudy.learners.inner import twice_differentiable
from quickstudy.nets import apply, has_foreign
from quickstudy.nets.watch import CHANGES_WEIGHTS
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, leaves

Engine = Literal["auto", "vmap", "loop"]

VMAP_NUMBERS = 1 << 20
"""Most input numbers of one vmap over tasks on a CPU. With more, it is not faster and needs more memory."""

FEWEST = 4
"""Fewest tasks for which vmap is worth its overhead on a CPU."""

EXACT = {torch.float32: 1e-4, torch.float64: 1e-8}
"""Largest relative difference between results of vmap and of the loop. Half precision is too coarse to compare."""


def map_tasks(
    fn: Callable[[Task], Tensor],
    tasks: Task,
    *,
    engine: Engine = "auto",
    chunk_size: int | None = None,
    seeds: Sequence[int] | None = None,
) -> Tensor:
    """Apply a function to every task of a batch, and return the results stacked.

    Args:
        fn: Pure function of one task.
        tasks: A batch of tasks.
        engine: "vmap" computes tasks together, "loop" one after another. "auto" is vmap if it can compute more than one
            task at a time. It assumes that ``fn`` is exact under vmap, which ``settle`` checks.
        chunk_size: Number of tasks in one vmap; by default all on a GPU, and a million input numbers on a CPU.
        seeds: One seed per task, for torch's random numbers in ``fn``; tasks are then computed one after another.

    >>> tasks = Task(*(Examples(torch.ones(3, 2, 1), torch.ones(3, 2, 1)) for _ in range(2)))
    >>> map_tasks(lambda task: task.query.x.sum(), tasks)
    tensor([2., 2., 2.])
    """
    chunk_size = chunk_size or _chunk_size(tasks, engine)
    if engine == "loop" or seeds is not None or (engine == "auto" and min(chunk_size, len(tasks)) == 1):
        return torch.stack([_one(fn, tasks, i, seeds) for i in range(len(tasks))])

    def of_parts(support: Examples, query: Examples) -> Tensor:
        return fn(Task(support, query))

    mapped: Callable[..., Tensor] = torch.vmap(of_parts, chunk_size=chunk_size)
    return mapped(*tasks)


def backward(
    fn: Callable[[Task], Tensor],
    tasks: Task,
    total: int | None = None,
    *,
    engine: Engine = "auto",
    chunk_size: int | None = None,
    seeds: Sequence[int] | None = None,
) -> Tensor:
    """Add the gradient of the mean of ``fn`` over tasks to the parameters' ``.grad``, chunk by chunk.

    Memory is that of one chunk's graph, for any number of tasks.

    Args:
        fn: Pure scalar function of one task.
        tasks: A batch of tasks.
        total: Divisor of the sum; the number of tasks if None, more if other processes hold the rest of a batch.
        engine, chunk_size, seeds: Arguments of ``map_tasks``.

    Returns:
        Mean, a scalar without a graph.

    >>> weight = torch.ones(1, requires_grad=True)
    >>> tasks = Task(*(Examples(torch.ones(3, 2, 1), torch.ones(3, 2, 1)) for _ in range(2)))
    >>> backward(lambda task: (weight * task.query.x).sum(), tasks), weight.grad
    (tensor(2.), tensor([2.]))
    """
    total = total or len(tasks)
    chunk_size = 1 if engine == "loop" or seeds is not None else chunk_size or _chunk_size(tasks, engine)
    mean = tasks.query.y.new_zeros(())
    with twice_differentiable():
        for first in range(0, len(tasks), chunk_size):
            if chunk_size == 1:
                loss = _one(fn, tasks, first, seeds) / total
            else:
                part = tasks.at(slice(first, first + chunk_size))
                loss = map_tasks(fn, part, engine=engine, chunk_size=chunk_size).sum() / total
            if loss.requires_grad:  # if nothing can be learned, the loss is still reported
                loss.backward()  # type: ignore[no-untyped-call]
            mean = mean + loss.detach()
    return mean


def _one(fn: Callable[[Task], Tensor], tasks: Task, i: int, seeds: Sequence[int] | None) -> Tensor:
    if seeds is None:
        return fn(tasks.at(i))
    with seeded(seeds[i]):
        return fn(tasks.at(i))


class Settled(NamedTuple):
    """Decision on how to compute a learner's tasks.

    Attributes:
        engine: "loop" if vmap would be wrong or fail.
        draws: True if the net draws random numbers, so that each task needs a seed.
    """

    engine: Engine
    draws: bool = False


def settle(net: nn.Module, measure: Callable[[Task, Engine], list[Tensor]], tasks: Task, engine: Engine) -> Settled:
    """Decide how to compute the tasks of a learner; warn if "auto" cannot use vmap, and refuse "vmap" itself.

    Some of torch's layers fail under vmap, and a layer may compute something else there. A net with layers from outside
    this package is therefore tried on two tasks.

    Args:
        net: Net or learner whose layers are examined.
        measure: Computation on a batch of tasks by an engine: losses and gradients, or answers.
        tasks: A batch of tasks; the first two are tried.
        engine: Requested engine.

    Raises:
        SettingError: "vmap" is requested, and it fails or gives other numbers than a loop. Or the net changes its
            weights, or does not repeat its numbers.
    """
    if not has_foreign(net):
        return Settled(engine)
    few = tasks.at(slice(2))
    inner = getattr(net, "net", None)
    if isinstance(inner, nn.Module):
        _check_repeats(inner, few.at(0).support.x)
    with seeded(0):
        before = states()
        expected = measure(few, "loop")
        drawn = not same(before, states())
    if drawn and engine == "vmap":
        raise SettingError("engine='vmap' cannot compute a net that draws random numbers (dropout); use engine='auto'")
    if drawn or engine == "loop" or _chunk_size(tasks, engine) == 1:
        return Settled("loop", drawn)
    fault = _fault(expected, partial(measure, few, "vmap"), checked=engine == "auto")
    if fault is None:
        return Settled(engine)
    if engine == "vmap":
        raise SettingError(f"engine='vmap': {fault}; use engine='auto'")
    warnings.warn(f"{fault}, so tasks are computed one by one", stacklevel=3)
    return Settled("loop")


def _check_repeats(net: nn.Module, x: Tree) -> None:
    """Refuse a net that changes its weights, or gives other numbers for the same inputs and seed."""
    answers: list[Any] = []  # a net may return anything
    weights = _sums(net)
    for _ in range(2):
        try:
            with seeded(0), torch.no_grad():
                answers.append(apply(net, x, statistics="batch"))
        except Exception:  # a learner may give its net other inputs than those of the task
            return
    changed = next((name for name, after in _sums(net).items() if after != weights[name]), None)
    if changed is not None:
        raise SettingError(CHANGES_WEIGHTS.format(repr(changed)))
    if not isinstance(answers[0], Tensor):
        return  # what takes the answers will say what is wrong with them
    off = distance(answers[:1], answers[1:])
    if off > 100 * EXACT.get(answers[0].dtype, 1e-3):  # a GPU rounds otherwise each time
        raise SettingError(
            f"the net gives other numbers for the same inputs and seed (by {100 * off:.2g} %); let it draw by "
            f"torch.rand and its like, not by random, numpy or a torch.Generator, and keep nothing between two calls"
        )


def _sums(net: nn.Module) -> dict[str, str]:
    """Return a few numbers of each weight as text, which differs if the weight does; NaN is equal to NaN."""
    with torch.no_grad():
        return {name: f"{exact(p).sum()} {exact(p).norm()}" for name, p in net.named_parameters()}


def _fault(expected: Sequence[Tensor], mapped: Callable[[], list[Tensor]], *, checked: bool) -> str | None:
    """Return what is wrong with results by vmap, or None. Half precision is a fault if results must be checked."""
    most = min(EXACT.get(t.dtype, 0.0) for t in expected)
    if not most:
        return "vmap cannot be checked in half precision" if checked else None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's warnings about slow operations under vmap
            off = distance(expected, mapped())
    except Exception as error:  # any exception may come from torch or the net, given batched tensors
        return f"vmap cannot compute this net ({one_line(f'{type(error).__name__}: {error}')})"
    return f"vmap gives other numbers than a loop for this net (by {100 * off:.2g} %)" if off > most else None


def distance(expected: Sequence[Tensor], result: Sequence[Tensor]) -> float:
    """Return the largest difference between tensors, relative to the size of the tensor and a tenth of the size of all.

    Relative to the tensor alone, a gradient that is zero up to rounding would look wrong. Relative to all tensors, a
    small wrong gradient would look right. The distance is infinite if a number is NaN in only one of the two.

    >>> distance([torch.tensor([3.0, 4.0])], [torch.tensor([3.0, 4.55])]).__round__(3)
    0.1
    """
    pairs = [(a.detach().cpu().double(), b.detach().cpu().double()) for a, b in zip(expected, result, strict=True)]
    norms = torch.stack([a.nan_to_num(0, 0, 0).norm() for a, _ in pairs])
    equal = [(a == b) | (a.isnan() & b.isnan()) for a, b in pairs]
    off = [(a - b).masked_fill(e, 0).nan_to_num(math.inf).norm() for (a, b), e in zip(pairs, equal, strict=True)]
    scale = norms + 0.1 * norms.norm()
    return float((torch.stack(off) / scale.clamp(min=1e-300)).max())


def describe() -> str:
    """Describe what "auto" does on this machine."""
    if torch.cuda.is_available():
        return "vmap over all tasks"
    return f"vmap over tasks of up to {VMAP_NUMBERS} input numbers in all, or a loop if these are fewer than {FEWEST}"


def _chunk_size(tasks: Task, engine: Engine) -> int:
    if tasks.query.y.is_cuda or not len(tasks):
        return max(1, len(tasks))
    fewest = 1 if engine == "vmap" else FEWEST
    if len(tasks) < fewest:
        return 1
    numbers = sum(t[0].numel() for part in tasks for t in leaves(part.x))
    together = VMAP_NUMBERS // max(1, numbers)
    return max(2, together) if engine == "vmap" else together if together >= fewest else 1
