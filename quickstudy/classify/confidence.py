"""Confidence of a classifier: calibrated probabilities, conformal sets, and out-of-distribution inputs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.io.console import shown
from quickstudy.learners import Learner
from quickstudy.tasks.task import Task, TaskSource

PERCENTS = 99
"""Number of stored quantiles: 1 %, 2 %, ... 99 %."""


@dataclass(frozen=True)
class Confidence:
    """Calibration of a learner, measured on tasks of known classes and used for tasks of new ones.

    Attributes:
        temperature: Temperature, times ``shot_factor(shots, rise)`` the divisor of logits.
        misfits: Quantiles, 1 % to 99 %, of 1 - the probability of the right label.
        fits: Quantiles, 1 % to 99 %, of the largest logit of queries whose class was in the support.
        n_way: Classes of the tasks of the measurement.
        n_shot: Support examples per class of those tasks.
        rise: The learner's ``rise``, for other numbers of shots.

    Raises:
        SettingError: The temperature is not positive, or there are not 99 ascending quantiles.

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
    rise: float | None = None

    def __post_init__(self) -> None:
        for name, values in {"misfits": self.misfits, "fits": self.fits}.items():
            if len(values) != PERCENTS or not all(a <= b for a, b in pairwise(values)):
                raise SettingError(f"{name} are not {PERCENTS} ascending quantiles; calibrate again")
        if not 0 < self.temperature < math.inf:
            raise SettingError(f"temperature={self.temperature} is not positive; calibrate again")

    def scale(self, shots: float) -> float:
        """Return the divisor of logits for a number of support examples per class."""
        return self.temperature * float(shot_factor(torch.tensor(float(shots)), self.rise))

    def members(self, probabilities: Tensor, coverage: float) -> Tensor:
        """Return the labels of the conformal set, which includes the right label with probability ``coverage``.

        The probability is over tasks like those of the calibration, in classes, shots and kind of images; see
        ``Confidence``. A query without any likely label has no members.

        Args:
            probabilities: Probabilities, (n, n_labels).
            coverage: Probability from 0.01 to 0.99.

        Returns:
            (n, n_labels) bool.
        """
        return 1 - probabilities <= self.misfits[percent_of("coverage", coverage) - 1]

    def strangers(self, logits: Tensor, false_alarms: float) -> Tensor:
        """Return which queries are out-of-distribution, so that no label fits, (n,) bool.

        Args:
            logits: Logits of the learner, (n, n_labels).
            false_alarms: Share of queries of known classes that are called out-of-distribution, 0.01 to 0.99.
        """
        return logits.amax(-1) < self.fits[percent_of("false_alarms", false_alarms) - 1]


def shot_factor(shots: Tensor, rise: float | None) -> Tensor:
    """Return the factor of a temperature for numbers of support examples per class.

    Without a rise, it is 1 + 1 / shots. The mean of K examples deviates from the true class mean with 1/K of the
    variance of one example, and squared distances to it scale alike. With a rise, it is shots ** rise, because scores
    of a regression grow with the number of examples.

    >>> shot_factor(torch.tensor([1.0, 4.0]), None), shot_factor(torch.tensor([1.0, 4.0]), 0.5)
    (tensor([2.0000, 1.2500]), tensor([1., 2.]))
    """
    return 1 + 1 / shots if rise is None else shots**rise


class Calibration(NamedTuple):
    """Result of a calibration, measured on tasks that the temperature was not fitted on.

    Attributes:
        confidence: Confidence to save with the learner.
        before: Expected calibration error of plain probabilities.
        after: Expected calibration error with the temperature.
        accuracy: Accuracy on the same tasks.
        n_tasks: Number of tasks of the measurement.
        n_answers: Number of answers to the queries of those tasks.
        transductive: Whether an answer may depend on the other queries of its task.
    """

    confidence: Confidence
    before: float
    after: float
    accuracy: float
    n_tasks: int
    n_answers: int
    transductive: bool = False

    @property
    def limit(self) -> float | None:
        """Largest error rate that the tasks do not exclude, at 95 %; None if they show the rate, by wrong answers.

        Source: Hanley and Lippman-Hand 1983, "If nothing goes wrong, is everything all right?" (3 / n).
        """
        return 3 / self.n_answers if self.accuracy == 1 else None


def calibrate(learner: Learner, tasks: TaskSource, n_way: int, n_shot: int, *, n_tasks: int = 1000) -> Calibration:
    """Calibrate a learner on tasks of classes that it was not trained on.

    Tasks of even number fit the temperature; tasks of odd number measure the errors and quantiles.

    Args:
        learner: Learner that classifies.
        tasks: Tasks of validation classes.
        n_way: Classes of a task.
        n_shot: Support examples per class.
        n_tasks: Total number of tasks, at least 2.

    Raises:
        SettingError: There are fewer than two tasks.
    """
    if n_tasks < 2:
        raise SettingError(f"n_tasks={n_tasks} cannot be halved into tasks to fit and to measure; give 2 or more")
    fitted, measured = (answers(learner, tasks, range(first, n_tasks, 2)) for first in (0, 1))
    fit = fit_temperature(*fitted)
    temperature = fit / float(shot_factor(torch.tensor(float(n_shot)), learner.rise))
    logits, right = measured
    plain, scaled = logits.softmax(-1), (logits / fit).softmax(-1)
    misfits = 1 - scaled.gather(1, right[:, None])[:, 0]
    quantiles = _quantiles(misfits, 1), _quantiles(logits.amax(-1), 0)
    confidence = Confidence(temperature, *quantiles, n_way, n_shot, learner.rise)
    return Calibration(
        confidence,
        calibration_error(plain, right),
        calibration_error(scaled, right),
        float((logits.argmax(-1) == right).double().mean()),
        len(range(1, n_tasks, 2)),
        len(right),
        learner.transductive,
    )


@torch.no_grad()
def answers(learner: Learner, tasks: TaskSource, which: range) -> tuple[Tensor, Tensor]:
    """Return the logits (n, n_way) of all queries of some tasks in double precision, and their classes (n,)."""
    learner.eval()
    logits, right = [], []
    for i in shown(which, "tasks"):
        task = Task(*learner.with_rows(*tasks.sample(i, 1).at(0)))
        logits.append(learner.adapt(task.support)(task.query.x).double())
        right.append(task.query.y.argmax(-1))
    return torch.cat(logits).cpu(), torch.cat(right).cpu()


def conformal_quantile(misfits: Tensor, percent: int) -> float:
    """Return the conformal quantile: a bound on the misfit of one more query that holds in ``percent`` of cases.

    Args:
        misfits: Nonconformity scores of exchangeable queries, (n,).
        percent: Coverage in percent, 1 to 99.

    Returns:
        One of the misfits, or infinity if they are too few for this coverage.

    Source: Angelopoulos and Bates 2023, section 1, arXiv:2107.07511.

    >>> conformal_quantile(torch.tensor([0.5, 0.125, 0.25]), 75), conformal_quantile(torch.zeros(8), 90)
    (0.5, inf)
    """
    rank = math.ceil(percent * (len(misfits) + 1) / 100)
    return float(misfits.sort().values[rank - 1]) if rank <= len(misfits) else math.inf


def fit_temperature(logits: Tensor, right: Tensor) -> float:
    """Return the temperature that minimises the log loss of logits (n, n_classes) for the right classes (n,).

    The targets are smoothed: of n queries, a share of 1 / (n + 2) of each target goes to the other classes. So n right
    answers give a mean confidence below 1. Without smoothing, the temperature would be 0 if all answers are right.

    The log loss is convex in the reciprocal of the temperature. Bisection finds the zero of its slope.

    Source: Platt 1999, section 2.2, "Probabilistic outputs for support vector machines" (smoothed targets).

    >>> logits = torch.tensor([[4.0, 0.0]]).repeat(10, 1)
    >>> round(4 / fit_temperature(logits, torch.tensor([0] * 9 + [1])), 4) == round(math.log(5), 4)
    True
    """
    n, n_classes = logits.shape
    logits = logits.double() - logits.double().amax(-1, keepdim=True)
    spread = float(logits.abs().mean()) or 1.0  # the search does not depend on the logits' unit
    logits, rest = logits / spread, 1 / (n + 2)
    target = torch.full_like(logits, rest / (n_classes - 1)).scatter_(1, right[:, None], 1 - rest)
    low, high = -12.0, 12.0  # bounds of the logarithm of the reciprocal
    for _ in range(60):
        middle = (low + high) / 2
        slope = (((logits * math.exp(middle)).softmax(-1) - target) * logits).sum()
        low, high = (middle, high) if slope < 0 else (low, middle)
    return spread * math.exp(-(low + high) / 2)


def calibration_error(probabilities: Tensor, right: Tensor, bins: int = 15) -> float:
    """Return the expected calibration error: the mean gap of confidence and accuracy over bins of confidence.

    Args:
        probabilities: Probabilities, (n, n_classes).
        right: Right classes, (n,).
        bins: Number of bins, which have equal width.

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
    """Return the 1 %, ... 99 % quantiles of some values.

    Args:
        values: Values, (n,).
        extra: 1 also counts the next query, as guaranteed coverage requires; 0 does not.
    """
    ascending, n = values.sort().values, len(values)
    ranks = [min(n, math.ceil(percent / 100 * (n + extra))) for percent in range(1, PERCENTS + 1)]
    return tuple(float(ascending[max(rank, 1) - 1]) for rank in ranks)


def percent_of(name: str, share: float) -> int:
    """Convert a share to a whole number of percent.

    Raises:
        SettingError: The share is not a whole number of percent from 1 to 99.
    """
    percent = round(100 * share)
    if not 1 <= percent <= PERCENTS or abs(percent - 100 * share) > 1e-6:
        raise SettingError(f"{name}={share}: give a whole number of percent, from 0.01 to 0.99")
    return percent
