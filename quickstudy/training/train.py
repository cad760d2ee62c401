"""Training in one call."""

from __future__ import annotations

import torch
from torch import nn
from torch.optim import Optimizer

from quickstudy.errors import SettingError
from quickstudy.learners import Learner
from quickstudy.tasks.task import AnySource, TaskSource
from quickstudy.training.bar import show
from quickstudy.training.engine import Engine
from quickstudy.training.outer import Progress, outer_loop


def weights_of(learner: Learner) -> list[nn.Parameter]:
    """Return the weights that an optimiser trains, or refuse a learner that has none.

    Raises:
        SettingError: The learner has no weights.

    >>> from quickstudy.learners import SimpleShot
    >>> from quickstudy.nets import Identity
    >>> len(weights_of(SimpleShot(Identity(3), 2)))  # the head
    2
    """
    weights = list(learner.parameters())
    if not weights:
        raise SettingError(
            f"{type(learner).__name__} has no weights on this net, so there is nothing to train; evaluate or adapt it "
            f"as it is, or give a net that has some"
        )
    return weights


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

    Raises:
        SettingError: The learner has no weights, and no optimiser is given.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import MLP
    >>> from quickstudy.tasks.sinusoid import Sinusoid
    >>> len(train(MAML(MLP(), 1, inner_lr=0.01, loss="mse"), Sinusoid(), steps=2))
    2
    """
    optimizer = optimizer or torch.optim.Adam(weights_of(learner), lr=1e-3)
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
