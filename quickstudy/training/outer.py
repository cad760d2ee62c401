"""The outer loop: improves the inner loop over many tasks."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial, reduce
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from quickstudy.errors import QuickstudyError, SettingError
from quickstudy.learners import Learner
from quickstudy.learners.inner import twice_differentiable
from quickstudy.tasks.episodes import seeds_of
from quickstudy.tasks.task import AnySource, Task, TaskSource, UnequalTasks, grouped
from quickstudy.tasks.tree import concatenated, flat
from quickstudy.training.engine import Engine, backward, map_tasks, settle
from quickstudy.training.evaluation import Evaluation, evaluate
from quickstudy.training.workers import ALONE, Workers, check_shares

OBSERVED = 1024
"""Number of training inputs on which population statistics are measured."""


class DivergedError(QuickstudyError):
    """The loss became NaN or infinite."""

    exit_code = 1


@dataclass(frozen=True)
class Progress:
    """Progress of the outer loop after a step.

    Attributes:
        step: Number of steps done, from 1.
        loss: Mean meta-loss of the step's tasks.
        lr: Outer learning rate of the step.
        seconds: Seconds since the loop began.
        validation: Result on validation tasks, at the steps that have one.
        best: True if the learner is now the best on validation so far; without validation, True at the end.
        skipped: Number of tasks skipped since the loop began, because their loss or gradient was not finite.
        last: True at the last step of the loop.
    """

    step: int
    loss: float
    lr: float
    seconds: float
    validation: Evaluation | None = None
    best: bool = False
    skipped: int = 0
    last: bool = False


@dataclass
class State:
    """State of the outer loop, from which it can continue, besides weights, optimiser and schedule.

    It does not depend on where the loop ended: a validation that only the last step caused leaves no trace in it.

    Attributes:
        step: Number of steps done.
        seconds: Seconds that they took.
        best: Best validation so far, accuracy or squared error.
        best_step: Step of the best validation.
        best_weights: Learner's weights at that step.
        last_weights: Weights after the last step, if the loop ended with others, those best on validation.
        worse: Number of validations since that step.
        skipped: Number of tasks skipped because their loss or gradient was not finite.
        engine: Engine decided at the first step; None before.
        draws: True if the net draws random numbers.
    """

    step: int = 0
    seconds: float = 0.0
    best: float | None = None
    best_step: int = 0
    best_weights: dict[str, Tensor] | None = None
    last_weights: dict[str, Tensor] | None = None
    worse: int = 0
    skipped: int = 0
    engine: Engine | None = None
    draws: bool = False


def outer_loop(
    learner: Learner,
    tasks: AnySource,
    optimizer: Optimizer,
    *,
    steps: int,
    tasks_per_step: int = 1,
    schedule: LRScheduler | None = None,
    clip: float | None = None,
    precision: Literal["float32", "bfloat16"] = "float32",
    validation: TaskSource | None = None,
    validate_every: int = 500,
    validation_tasks: int = 200,
    patience: int | None = None,
    skip_bad_tasks: bool = False,
    engine: Engine = "auto",
    workers: Workers = ALONE,
    state: State | None = None,
    until: Callable[[], bool] | None = None,
) -> Iterator[Progress]:
    """Improve a learner over many tasks. It yields after every step, and ends with the weights best on validation.

    Args:
        learner: Learner, changed in place.
        tasks: Training tasks.
        optimizer: Optimiser from ``torch.optim`` for the learner's parameters.
        steps: Number of outer steps.
        tasks_per_step: Number of tasks in one step, which descends their mean loss.
        schedule: Learning rate schedule, advanced after every step.
        clip: Largest absolute value of a gradient's entries, as in Finn et al.
        precision: "bfloat16" computes the meta-loss in mixed precision.
        validation: Tasks of other classes. Without it, the last weights are kept.
        validate_every: Steps between two validations; the last step is always followed by one.
        validation_tasks: Number of tasks in a validation.
        patience: Number of validations without improvement after which training stops.
        skip_bad_tasks: Skip and count tasks whose loss or gradient is NaN or infinite, instead of raising an error.
        engine: "auto" computes tasks together (vmap) if that is exact, and else one after another; "vmap" and "loop"
            force it. A net from outside this package is tried at the first step, on two tasks.
        workers: Processes that share each step's tasks, from ``quickstudy.training.workers.join``.
        state: State to continue from, which is updated; a new one if None. A loop that had ended continues from the
            weights of its last step.
        until: Function that is called after every step; the step after which it returns True is the last one.

    Raises:
        DivergedError: The loss of a task, or the gradient of a step, is NaN or infinite.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import MLP
    >>> from quickstudy.tasks.sinusoid import Sinusoid
    >>> learner = MAML(MLP(), 1, inner_lr=0.01, loss="mse")
    >>> optimizer = torch.optim.Adam(learner.parameters(), 1e-3)
    >>> [progress.step for progress in outer_loop(learner, Sinusoid(), optimizer, steps=2, tasks_per_step=4)]
    [1, 2]
    """
    check_shares(tasks_per_step, workers.size)

    def meta_loss(task: Task) -> Tensor:
        with torch.autocast(task.query.y.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return learner.meta_loss(task)

    state = state or State()
    if state.last_weights is not None:
        learner.load_state_dict(state.last_weights)
        state.last_weights = None
    start, chosen = time.perf_counter() - state.seconds, state.best_weights
    for step in range(state.step + 1, steps + 1):
        if patience is not None and state.worse >= patience:
            break
        learner.train()
        learner.anneal((step - 1) / steps)
        batch = tasks.sample(step, tasks_per_step)
        if state.engine is None:
            [(_, first), *_] = grouped(batch, learner.with_rows)
            state.engine, state.draws = settle(learner, partial(losses_and_gradients, learner), first, engine)
        seeds = seeds_of(tasks, step, tasks_per_step) if state.draws else None
        descend = partial(_descend, learner, meta_loss, optimizer=optimizer, workers=workers, engine=state.engine)
        value = descend(batch, seeds=seeds)
        if not math.isfinite(value):
            bad = _bad_tasks(learner, meta_loss, batch, workers, seeds)
            if not (skip_bad_tasks and bad) or tasks_per_step - len(bad) < workers.size:
                which = f" (tasks {', '.join(map(str, bad))})" if bad else ""
                raise DivergedError(
                    f"the loss or its gradient is not finite at step {step}{which}; lower outer_lr or inner_lr, clip "
                    f"the gradient, or skip such tasks"
                )
            state.skipped += len(bad)
            good = [i for i in range(tasks_per_step) if i not in bad]
            value = descend(batch.at(good), seeds=seeds and [seeds[i] for i in good])
        if clip is not None:
            torch.nn.utils.clip_grad_value_(learner.parameters(), clip)
        lr = optimizer.param_groups[0]["lr"]
        optimizer.step()
        if schedule is not None:
            schedule.step()
        last = step == steps or (until is not None and workers.agree(until()) > 0)
        scheduled = validation is not None and step % validate_every == 0
        result, is_best = None, False
        if last or scheduled:
            learner.eval()
            observe(learner, tasks)
            if validation is None:
                is_best = True
            else:
                result = evaluate(learner, validation, n_tasks=validation_tasks, engine=engine, workers=workers)
                is_best = _better(result, state.best)
                chosen = copy.deepcopy(learner.state_dict()) if is_best else state.best_weights
        if scheduled:
            state.worse = 0 if is_best else state.worse + 1
            if is_best and result is not None:
                state.best, state.best_step, state.best_weights = result.mean, step, chosen
            last = last or (patience is not None and state.worse >= patience)
        state.step, state.seconds = step, time.perf_counter() - start
        yield Progress(step, value, lr, state.seconds, result, is_best, state.skipped, last)
        if last:
            break
    if chosen is not None:
        state.last_weights = copy.deepcopy(learner.state_dict())
        learner.load_state_dict(chosen)
    learner.eval()


def losses_and_gradients(learner: Learner, tasks: Task, engine: Engine) -> list[Tensor]:
    """Return the tasks' meta-losses and the gradient of their sum, by which ``settle`` compares engines."""
    parameters = [p for p in learner.parameters() if p.requires_grad]
    with twice_differentiable():
        losses = map_tasks(learner.meta_loss, tasks, engine=engine)
        if losses.ndim > 1:
            raise SettingError(f"meta_loss returns shape {list(losses.shape[1:])}; return a scalar, such as its mean")
        if not losses.requires_grad:
            return [losses]
        return [losses.detach(), *torch.autograd.grad(losses.sum(), parameters, materialize_grads=True)]


def _descend(
    learner: Learner,
    meta_loss: Callable[[Task], Tensor],
    tasks: Task | UnequalTasks,
    *,
    optimizer: Optimizer,
    workers: Workers,
    engine: Engine,
    seeds: list[int] | None,
) -> float:
    """Return the mean loss of all workers' tasks, NaN if a gradient is not finite; gradients are left in ``.grad``."""
    optimizer.zero_grad()
    mine = seeds and workers.share_of(seeds)
    losses = []
    for numbers, group in grouped(workers.share(tasks), learner.with_rows):
        drawn = mine and [mine[i] for i in numbers]
        losses.append(backward(meta_loss, group, len(tasks), engine=engine, seeds=drawn))
    loss = torch.stack(losses).sum()
    parameters = list(learner.parameters())
    used = torch.tensor([float(p.grad is not None) for p in parameters])
    workers.sum([used])  # a parameter may be used by the tasks of another process alone
    for p, n in zip(parameters, used.tolist(), strict=True):
        if n and p.grad is None:
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in parameters if p.grad is not None]
    workers.sum([loss, *gradients])
    if not gradients:
        return loss.item()
    finite = torch.stack([g.sum() for g in gradients]).isfinite().all()
    return loss.item() if finite else math.nan


def _bad_tasks(
    learner: Learner,
    meta_loss: Callable[[Task], Tensor],
    tasks: Task | UnequalTasks,
    workers: Workers,
    seeds: list[int] | None,
) -> list[int]:
    """Return the numbers of the tasks whose own loss or gradient is not finite."""
    parameters = [p for p in learner.parameters() if p.requires_grad]

    def mark(task: Task) -> Tensor:
        loss = meta_loss(task)
        if not loss.requires_grad:
            return loss
        gradient = torch.autograd.grad(loss, parameters, materialize_grads=True)
        return loss.detach() + sum(0 * g.sum() for g in gradient)  # 0 times what is not finite is NaN

    mine, drawn = workers.share(tasks), seeds and workers.share_of(seeds)
    results = [0.0] * len(mine)
    for numbers, group in grouped(mine, learner.with_rows):
        with twice_differentiable():
            values = map_tasks(mark, group, engine="loop", seeds=drawn and [drawn[i] for i in numbers])
        for i, value in zip(numbers, values.tolist(), strict=True):
            results[i] = value
    losses = workers.gather(results)
    return [i for i, loss in enumerate(losses) if not math.isfinite(loss)]


def observe(learner: Learner, tasks: AnySource) -> None:
    """Let a learner measure population statistics on inputs of training tasks."""
    [(_, batch)] = grouped(tasks.sample(0, 1), learner.with_rows)
    each = batch.support.y.shape[1] + batch.query.y.shape[1]
    groups = grouped(tasks.sample(0, math.ceil(OBSERVED / each)), learner.with_rows)
    parts = [part.x for _, group in groups for part in group]
    learner.observe(reduce(concatenated, map(flat, parts)))


def _better(new: Evaluation, old: float | None) -> bool:
    if math.isnan(new.mean):
        return False
    return old is None or (new.mean < old if new.metric == "mse" else new.mean > old)
