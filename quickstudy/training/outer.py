"""The outer loop: makes the inner loop better over many tasks."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from quickstudy.engine import backward, keep_memory
from quickstudy.errors import QuickstudyError
from quickstudy.evaluation import Evaluation, evaluate
from quickstudy.learners import Learner
from quickstudy.tasks.task import Task, TaskSource
from quickstudy.workers import ALONE, Workers, check_shares

OBSERVED = 1024
"""Training inputs that population statistics are measured on."""


class DivergedError(QuickstudyError):
    """The loss became NaN or infinite."""

    exit_code = 1


@dataclass(frozen=True)
class Progress:
    """Where the outer loop stands after a step.

    Attributes:
        step: Steps done, from 1.
        loss: Mean meta-loss of the step's tasks.
        lr: Outer learning rate of the step.
        seconds: Since the loop began.
        validation: Result on validation tasks, at the steps that have one.
        best: Whether the learner is now the best so far on validation (or, without validation, at its end).
    """

    step: int
    loss: float
    lr: float
    seconds: float
    validation: Evaluation | None = None
    best: bool = False


def outer_loop(
    learner: Learner,
    tasks: TaskSource,
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
    workers: Workers = ALONE,
) -> Iterator[Progress]:
    """Improve a learner over many tasks; yields after every step, and ends with the best learner on validation.

    Args:
        learner: Changed in place.
        tasks: Training tasks.
        optimizer: Any of ``torch.optim``, over the learner's parameters.
        steps: Outer steps.
        tasks_per_step: Tasks whose mean loss one step descends.
        schedule: Learning rate schedule, advanced after every step.
        clip: Largest absolute value of a gradient's entry, as Finn et al. clip.
        precision: "bfloat16" computes the meta-loss in mixed precision.
        validation: Tasks of other classes; without it the last weights are kept.
        validate_every: Steps from one validation to the next; one more comes at the end.
        validation_tasks: Tasks of a validation.
        patience: Stop after this many validations without a better one.
        workers: Processes that share each step's tasks, from ``quickstudy.workers.join``. All walk the same path.

    Raises:
        DivergedError: The loss is NaN or infinite.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import MLP
    >>> from quickstudy.tasks.sinusoid import Sinusoid
    >>> learner = MAML(MLP(), 1, inner_lr=0.01, loss="mse")
    >>> optimizer = torch.optim.Adam(learner.parameters(), 1e-3)
    >>> [progress.step for progress in outer_loop(learner, Sinusoid(), optimizer, steps=2, tasks_per_step=4)]
    [1, 2]
    """
    check_shares(tasks_per_step, workers.size)
    keep_memory()

    def meta_loss(task: Task) -> Tensor:
        with torch.autocast(task.query.x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
            return learner.meta_loss(task)

    start = time.perf_counter()
    best: Evaluation | None = None
    best_state = None
    worse = 0
    for step in range(1, steps + 1):
        learner.train()
        optimizer.zero_grad()
        loss = backward(meta_loss, workers.share(tasks.sample(step, tasks_per_step)), tasks_per_step)
        workers.sum([loss, *(p.grad for p in learner.parameters() if p.grad is not None)])
        value = loss.item()
        if not math.isfinite(value):
            raise DivergedError(f"the loss is {value} at step {step}; lower outer_lr or inner_lr, or clip the gradient")
        if clip is not None:
            torch.nn.utils.clip_grad_value_(learner.parameters(), clip)
        lr = optimizer.param_groups[0]["lr"]
        optimizer.step()
        if schedule is not None:
            schedule.step()
        result, is_best = None, False
        if step == steps or (validation is not None and step % validate_every == 0):
            observe(learner, tasks)
            learner.eval()
            if validation is None:
                is_best = True
            else:
                result = evaluate(learner, validation, n_tasks=validation_tasks, workers=workers)
                is_best = _better(result, best)
                worse = 0 if is_best else worse + 1
                if is_best:
                    best, best_state = result, copy.deepcopy(learner.state_dict())
        yield Progress(step, value, lr, time.perf_counter() - start, result, is_best)
        if patience is not None and worse >= patience:
            break
    if best_state is not None:
        learner.load_state_dict(best_state)
    learner.eval()


def observe(learner: Learner, tasks: TaskSource) -> None:
    """Show a learner inputs of training tasks, so that it can measure population statistics."""
    batch = tasks.sample(0, 1)
    each = batch.support.x.shape[1] + batch.query.x.shape[1]
    batch = tasks.sample(0, math.ceil(OBSERVED / each))
    learner.observe(torch.cat([batch.support.x.flatten(0, 1), batch.query.x.flatten(0, 1)]))


def _better(new: Evaluation, old: Evaluation | None) -> bool:
    if math.isnan(new.mean):
        return False
    return old is None or (new.mean < old.mean if new.metric == "mse" else new.mean > old.mean)
