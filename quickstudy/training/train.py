"""Training in one call."""

from __future__ import annotations

import torch
from torch.optim import Optimizer

from quickstudy.learners import Learner
from quickstudy.tasks.task import AnySource, TaskSource
from quickstudy.training.bar import show
from quickstudy.training.engine import Engine
from quickstudy.training.outer import Progress, outer_loop


def train(
    learner: Learner,
    tasks: AnySource,
    *,
    steps: int,
    tasks_per_step: int = 1,
    optimizer: Optimizer | None = None,
    validation: TaskSource | None = None,
    engine: Engine = "auto",
) -> list[Progress]:
    """Improve a learner over many tasks, with a progress bar; ``outer_loop`` has all options.

    Args:
        learner: Learner, changed in place.
        tasks: Training tasks.
        steps: Number of outer steps.
        tasks_per_step: Number of tasks in one step, which descends their mean loss.
        optimizer: Optimiser; Adam at 1e-3 if None. For Reptile, use ``torch.optim.SGD`` at a rate up to 1.
        validation: Tasks of other classes; the weights that are best on them are kept.
        engine: Engine for the tasks, as in ``outer_loop``.

    Returns:
        Progress of the loop, one record per step.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import MLP
    >>> from quickstudy.tasks.sinusoid import Sinusoid
    >>> len(train(MAML(MLP(), 1, inner_lr=0.01, loss="mse"), Sinusoid(), steps=2))
    2
    """
    optimizer = optimizer or torch.optim.Adam(learner.parameters(), lr=1e-3)
    progress = outer_loop(
        learner,
        tasks,
        optimizer,
        steps=steps,
        tasks_per_step=tasks_per_step,
        validation=validation,
        engine=engine,
    )
    return list(show(progress, steps, type(learner).__name__))
