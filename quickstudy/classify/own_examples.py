"""Evidence of a classifier's own examples, each classified by all others (leave-one-out)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from scipy.special import bdtrc
from torch import Tensor

from quickstudy.classify.confidence import conformal_quantile, percent_of
from quickstudy.errors import SettingError

_BY_CHANCE = 0.1
"""Probability by chance above which a number of right answers shows nothing."""


@dataclass(frozen=True)
class OwnExamples:
    """Leave-one-out results on which conformal sets and out-of-distribution answers rest.

    Attributes:
        misfits: 1 - the probability of the right label, for each example, (n,).
        fits: Largest logit, for each example, (n,).

    Source: Vovk 2015, arXiv:1208.0806, and Barber et al. 2021, arXiv:1905.02928 (leave-one-out conformal sets).

    >>> import torch
    >>> own = OwnExamples(torch.arange(9) / 10, torch.zeros(9))
    >>> own.members(torch.tensor([[0.7, 0.2, 0.1]]), 0.9).tolist()
    [[True, True, False]]
    """

    misfits: Tensor
    fits: Tensor

    def members(self, probabilities: Tensor, coverage: float) -> Tensor:
        """Return the labels of the conformal set, which includes the right label with probability ``coverage``.

        Args:
            probabilities: Probabilities, (n, n_labels).
            coverage: Probability from 0.01 to 0.99.

        Returns:
            (n, n_labels) bool.

        Raises:
            SettingError: There are too few examples.
        """
        most = conformal_quantile(self.misfits, self._enough("coverage", coverage, percent_of("coverage", coverage)))
        return 1 - probabilities <= most

    def strangers(self, logits: Tensor, false_alarms: float) -> Tensor:
        """Return which queries are out-of-distribution, so that no label fits, (n,) bool.

        Args:
            logits: Logits of the learner, (n, n_labels).
            false_alarms: Share of queries of known classes that are called out-of-distribution, 0.01 to 0.99.

        Raises:
            SettingError: There are too few examples.
        """
        inside = self._enough("false_alarms", false_alarms, 100 - percent_of("false_alarms", false_alarms))
        return -logits.amax(1) > conformal_quantile(-self.fits, inside)

    def _enough(self, name: str, share: float, percent: int) -> int:
        """Return the percent if there are enough examples for it."""
        least = math.ceil(percent / (100 - percent))
        if len(self.misfits) < least:
            raise SettingError(
                f"{name}={share:g} needs at least {least} examples, two or more of each label without exact copies, "
                f"but there are {len(self.misfits)}; give more, ask for less, or set rest_on to calibration"
            )
        return percent


class Separation(NamedTuple):
    """Result of classifying each example by all others (leave-one-out).

    Attributes:
        right: Number of examples that get their own label.
        n: Number of examples; an only example of a label is not counted.
        n_labels: Number of labels.

    >>> Separation(7, 40, 5).doubtful, Separation(36, 40, 5).doubtful, Separation(4, 4, 2).doubtful
    (True, False, False)
    """

    right: int
    n: int
    n_labels: int

    @property
    def doubtful(self) -> bool:
        """Whether fewer than half are right, or no more than chance would give (binomial test at 10 %)."""
        by_chance = bdtrc(self.right - 1, self.n, 1 / self.n_labels) if self.right else 1.0
        return self.right < self.n and (2 * self.right < self.n or bool(by_chance > _BY_CHANCE))

    def __str__(self) -> str:
        """Return a sentence for messages."""
        return (
            f"only {self.right} of {self.n} examples get their own label from all others (by chance "
            f"{self.n / self.n_labels:.0f}), so expect wrong answers; give more examples, or a model for this kind of "
            f"input"
        )
