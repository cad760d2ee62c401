"""How far to believe a classifier: calibrated probabilities, sets that hold the answer, and "none of these"."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.io.console import shown
from quickstudy.learners import Learner
from quickstudy.tasks.task import TaskSource

PERCENTS = 99
"""Quantiles kept: of 1 %, 2 %, ... 99 %."""


@dataclass(frozen=True)
class Confidence:
    """What a learner's answers to tasks of known classes say of its answers to new ones.

    Attributes:
        temperature: Of tasks with many shots: logits are divided by ``temperature * (1 + 1 / shots)``. The mean of K
            examples lies around the class's own with 1/K of the variance of one, and so do squared distances to it.
        misfits: Quantiles, 1 % to 99 %, of 1 - the probability of the right label.
        fits: Quantiles, 1 % to 99 %, of the largest logit of queries whose class was among those shown.
        n_way: Classes of the tasks that these were measured on.
        n_shot: Their examples of each class.

    Raises:
        SettingError: A temperature that is not positive, or other than 99 ascending quantiles.

    Source: Guo et al. 2017, section 4.2, arXiv:1706.04599 (temperature); Sadinle et al. 2019, arXiv:1609.00451, and
    Angelopoulos and Bates 2023, section 1, arXiv:2107.07511 (sets).

    >>> Confidence(2.0, tuple(i / 100 for i in range(99)), (0.0,) * 99, 5, 1).scale(shots=4)
    2.5
    """

    temperature: float
    misfits: tuple[float, ...]
    fits: tuple[float, ...]
    n_way: int
    n_shot: int

    def __post_init__(self) -> None:
        for name, values in {"misfits": self.misfits, "fits": self.fits}.items():
            if len(values) != PERCENTS or not all(a <= b for a, b in pairwise(values)):
                raise SettingError(f"{name} are no {PERCENTS} ascending quantiles; calibrate again")
        if not 0 < self.temperature < math.inf:
            raise SettingError(f"temperature={self.temperature} is not positive; calibrate again")

    def scale(self, shots: float) -> float:
        """What logits are divided by, where a class was shown by so many examples."""
        return self.temperature * (1 + 1 / shots)

    def members(self, probabilities: Tensor, coverage: float) -> Tensor:
        """Which labels belong to a set that holds the right one with a chance of ``coverage``.

        The chance is over tasks like those it was measured on, in classes, shots and kind of images; see
        ``Confidence``. A set is empty where no label is likely enough.

        Args:
            probabilities: (n, n_labels).
            coverage: From 0.01 to 0.99.

        Returns:
            (n, n_labels) bool.
        """
        return 1 - probabilities <= self.misfits[percent_of("coverage", coverage) - 1]

    def strangers(self, logits: Tensor, false_alarms: float) -> Tensor:
        """Which queries fit none of the labels, (n,) bool.

        Args:
            logits: As the learner gives them, (n, n_labels).
            false_alarms: Share of queries of shown classes that are called strangers, 0.01 to 0.99.
        """
        return logits.amax(-1) < self.fits[percent_of("false_alarms", false_alarms) - 1]


class Calibration(NamedTuple):
    """What calibration came to, measured on tasks that the temperature was not fitted on.

    Attributes:
        confidence: To keep with the learner.
        before: Expected calibration error of plain probabilities.
        after: And with the temperature.
        accuracy: Of the same answers.
        n_tasks: Tasks of either half.
    """

    confidence: Confidence
    before: float
    after: float
    accuracy: float
    n_tasks: int


def calibrate(learner: Learner, tasks: TaskSource, n_way: int, n_shot: int, *, n_tasks: int = 1000) -> Calibration:
    """Measure how far to believe a learner, on tasks of classes it was not trained on.

    Even tasks fit the temperature, odd ones give the errors and quantiles.

    Args:
        learner: A classifier.
        tasks: Of validation classes.
        n_way: Classes of the tasks.
        n_shot: Support examples of each class.
        n_tasks: Tasks in all, at least 2.
    """
    if n_tasks < 2:
        raise SettingError(f"n_tasks={n_tasks}: one half fits and the other measures; give 2 or more")
    fitted, measured = (answers(learner, tasks, range(first, n_tasks, 2)) for first in (0, 1))
    temperature = fit_temperature(*fitted) / (1 + 1 / n_shot)
    logits, right = measured
    plain, scaled = logits.softmax(-1), (logits / (temperature * (1 + 1 / n_shot))).softmax(-1)
    misfits = 1 - scaled.gather(1, right[:, None])[:, 0]
    confidence = Confidence(temperature, _quantiles(misfits, 1), _quantiles(logits.amax(-1), 0), n_way, n_shot)
    return Calibration(
        confidence,
        calibration_error(plain, right),
        calibration_error(scaled, right),
        float((logits.argmax(-1) == right).double().mean()),
        len(range(1, n_tasks, 2)),
    )


@torch.no_grad()
def answers(learner: Learner, tasks: TaskSource, which: range) -> tuple[Tensor, Tensor]:
    """Logits (n, n_way) of all queries of some tasks, and their right classes (n,), in double precision."""
    learner.eval()
    logits, right = [], []
    for i in shown(which, "tasks"):
        task = tasks.sample(i, 1).at(0)
        logits.append(learner.adapt(task.support)(task.query.x).double())
        right.append(task.query.y.argmax(-1))
    return torch.cat(logits).cpu(), torch.cat(right).cpu()


def promised(misfits: Tensor, percent: int) -> float:
    """What the misfit of one more query does not exceed in so many percent of cases.

    Args:
        misfits: How badly queries like it fitted, (n,).
        percent: 1 to 99.

    Returns:
        One of the misfits, or infinity where they are too few to promise it.

    Source: Angelopoulos and Bates 2023, section 1, arXiv:2107.07511.

    >>> promised(torch.tensor([0.5, 0.125, 0.25]), 75), promised(torch.zeros(8), 90)
    (0.5, inf)
    """
    rank = math.ceil(percent * (len(misfits) + 1) / 100)
    return float(misfits.sort().values[rank - 1]) if rank <= len(misfits) else math.inf


def fit_temperature(logits: Tensor, right: Tensor) -> float:
    """What logits (n, n_classes) are divided by to make the right classes (n,) most likely.

    The log loss is convex in the reciprocal, whose zero slope is found by halving.

    >>> logits = torch.tensor([[4.0, 0.0]]).repeat(10, 1)
    >>> round(4 / fit_temperature(logits, torch.tensor([0] * 9 + [1])), 4) == round(math.log(9), 4)
    True
    """
    low, high = -12.0, 12.0  # of the reciprocal's logarithm
    for _ in range(60):
        middle = torch.tensor((low + high) / 2, dtype=torch.float64, requires_grad=True)
        (slope,) = torch.autograd.grad(F.cross_entropy(logits.double() * middle.exp(), right), middle)
        low, high = (middle.item(), high) if slope < 0 else (low, middle.item())
    return math.exp(-(low + high) / 2)


def calibration_error(probabilities: Tensor, right: Tensor, bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from accuracy, on average over bins of confidence.

    Args:
        probabilities: (n, n_classes).
        right: Right classes, (n,).
        bins: Of equal width.

    Source: Guo et al. 2017, eq. 3, arXiv:1706.04599.

    >>> calibration_error(torch.tensor([[0.75, 0.25]]).repeat(4, 1), torch.tensor([0, 0, 1, 1]))
    0.25
    """
    confidence, answer = probabilities.double().max(-1)
    gap = (answer == right).double() - confidence
    bin_of = (confidence * bins).ceil().long().clamp(1, bins) - 1
    sums = torch.zeros(bins, dtype=torch.float64).index_add_(0, bin_of, gap)
    return float(sums.abs().sum() / len(gap))


def _quantiles(values: Tensor, extra: int) -> tuple[float, ...]:
    """The value of which a share of 1 %, ... 99 % is at most as large.

    Args:
        values: (n,).
        extra: 1 counts the query to come among them, as a promise of coverage must.
    """
    ascending, n = values.sort().values, len(values)
    ranks = [min(n, math.ceil(percent / 100 * (n + extra))) for percent in range(1, PERCENTS + 1)]
    return tuple(float(ascending[max(rank, 1) - 1]) for rank in ranks)


def percent_of(name: str, share: float) -> int:
    """A share as a whole number of percent.

    Raises:
        SettingError: It is none from 1 to 99.
    """
    percent = round(100 * share)
    if not 1 <= percent <= PERCENTS or abs(percent - 100 * share) > 1e-6:
        raise SettingError(f"{name}={share}: give a whole number of percent, from 0.01 to 0.99")
    return percent
