"""The optimiser of a run, and how its rate falls."""

from __future__ import annotations

import warnings

import torch
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LRScheduler

from quickstudy.errors import SettingError
from quickstudy.learners import Learner
from quickstudy.runs.settings import Settings
from quickstudy.training import State
from quickstudy.training.train import weights_of

FALLING = ("cosine", "linear")
"""Schedules that depend on the number of steps."""


def optimizer_of(settings: Settings, learner: Learner) -> Optimizer:
    """Return the optimiser of the outer loop."""
    weights, lr, decay = weights_of(learner), settings.outer_lr or 1e-3, settings.weight_decay
    if settings.optimizer == "sgd":
        momentum = settings.momentum
        return torch.optim.SGD(weights, lr, momentum=momentum, nesterov=momentum > 0, weight_decay=decay)
    return (torch.optim.AdamW if decay else torch.optim.Adam)(weights, lr, weight_decay=decay)


def schedule_of(name: str, optimizer: Optimizer, steps: int, *, halve_every: int = 1) -> LRScheduler:
    """Return how the rate of an optimiser falls over a number of steps.

    Args:
        name: "constant"; "cosine" or "linear", which fall to 0; or "halving".
        optimizer: Optimiser at its first rate.
        steps: Steps of the whole training.
        halve_every: Steps after which halving halves the rate.

    >>> optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1)
    >>> type(schedule_of("linear", optimizer, steps=10)).__name__
    'LinearLR'
    """
    lr_scheduler = torch.optim.lr_scheduler
    if name == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, steps)
    if name == "linear":
        return lr_scheduler.LinearLR(optimizer, 1.0, 0.0, steps)
    if name == "halving":
        return lr_scheduler.StepLR(optimizer, halve_every, 0.5)
    return lr_scheduler.ConstantLR(optimizer, 1.0)


def restored(schedule: LRScheduler, name: str, steps: int, step: int) -> LRScheduler:
    """Return the schedule of a restored optimiser after ``step`` of ``steps`` steps, whatever was planned before."""
    if name not in FALLING:
        return schedule
    optimizer = schedule.optimizer
    for group in optimizer.param_groups:
        group["lr"] = group.pop("initial_lr")
    schedule = schedule_of(name, optimizer, steps)
    with warnings.catch_warnings():  # torch expects a step of the optimiser before each step of the schedule
        warnings.simplefilter("ignore", UserWarning)
        for _ in range(step):
            schedule.step()
    return schedule


def continued(schedule: LRScheduler, settings: Settings, before: int, learner: Learner, state: State) -> LRScheduler:
    """Return the schedule with which a run continues: that of as many steps as the settings say.

    Args:
        schedule: Schedule of the restored optimiser.
        settings: Settings from here on.
        before: Number of steps that the run was to have.
        learner: Learner that is trained.
        state: State from which the run continues.

    Raises:
        SettingError: The run has more steps than before, but ended for lack of improvement.
    """
    if settings.steps > before:
        _check_longer(settings, before, learner, state)
    return restored(schedule, settings.schedule, settings.steps, state.step)


def _check_longer(settings: Settings, before: int, learner: Learner, state: State) -> None:
    """Refuse more steps for a run that ended early, and warn where the number of steps changes the training."""
    if settings.patience is not None and state.worse >= settings.patience:
        raise SettingError(
            f"steps = {settings.steps}: the run ended at step {state.step}, after patience = "
            f"{settings.patience} validations without improvement; start a new run without patience"
        )
    falls = settings.schedule in FALLING
    if falls or type(learner).anneal is not Learner.anneal:
        by = f"the outer rate ({settings.schedule})" if falls else f"{settings.algorithm}'s inner loop"
        warnings.warn(
            f"{by} depends on the number of steps: it followed {before} steps until step {state.step} and "
            f"follows {settings.steps} from here, so the result differs from {settings.steps} steps at once",
            stacklevel=3,
        )
