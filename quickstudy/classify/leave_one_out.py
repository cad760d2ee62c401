"""Leave-one-out: each example of a classifier classified by all others, and the probabilities that rest on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cached_property

import torch
from torch import Tensor

from quickstudy.classify.confidence import Confidence, fit_temperature, shot_factor
from quickstudy.classify.own_examples import OwnExamples, Separation
from quickstudy.errors import SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import Learner, Predictor
from quickstudy.learners.metric import MetricLearner
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.tasks.task import Examples

_LEARN_AGAIN = 50
"""Largest number of examples that a learner without embeddings learns again without, one by one, for a warning."""


class LeaveOneOut(ABC):
    """Part of ``Classifier``: its examples judged by each other, and the probabilities that rest on them."""

    learner: Learner
    data: ClassDataset
    labels: tuple[str, ...]
    confidence: Confidence | None
    support: Examples
    _predictor: Predictor

    @property
    @abstractmethod
    def embedded(self) -> Tensor:
        """Embeddings of the examples, (n, d)."""

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Return the embeddings of inputs, (n, d)."""

    @property
    def _metric(self) -> MetricLearner | None:
        """The learner if it compares embeddings that each depend only on their own input, otherwise None."""
        learner = self.learner
        return learner if isinstance(learner, MetricLearner) and not learner.transductive else None

    def left_out(self, x: Tensor | None = None) -> Tensor:
        """Return the logits of inputs by the classifier without each example in turn, (n, m, n_labels).

        The result is exact for every learner, as it learns again each time. A metric learner does not embed the other
        examples again.

        Args:
            x: Inputs, (m, *input). If None, the only input of each turn is its own example, m = 1.
        """
        support = self.support
        with torch.no_grad():
            if metric := self._metric:
                query = None if x is None else self.embed(x)
                return metric.left_out(Examples(self.embedded, support.y), query).cpu().double()
            of_turn = [support.x[i : i + 1] if x is None else x for i in range(len(support.y))]
            logits = [self.learner.adapt(support.without(i))(each) for i, each in enumerate(of_turn)]
        return torch.stack(logits).cpu().double()

    @cached_property
    def judged(self) -> Tensor:
        """Leave-one-out logits of each example, (n, n_labels)."""
        return self.left_out()[:, 0]

    @property
    def judged_rows(self) -> Tensor:
        """Rows of the examples that leave others of their label when they are left out.

        There are none if inputs are answered together, since each example would then be a query alone.
        """
        if isinstance(self.learner, TransductiveLearner):
            return torch.empty(0, dtype=torch.int64)
        return (torch.from_numpy(self.data.counts)[self.data.y] > 1).nonzero()[:, 0]

    @cached_property
    def separation(self) -> Separation | None:
        """Separation of the examples (leave-one-out); None if each label has a single example.

        It is also None for a gradient-based learner with more than 50 examples, which would learn again for each. A
        learner that answers inputs together has none.
        """
        rows = self.judged_rows
        if not len(rows) or (self._metric is None and len(self.data.y) > _LEARN_AGAIN):
            return None
        right = self.judged[rows].argmax(1) == self.data.y[rows]
        return Separation(int(right.sum()), len(rows), len(self.labels))

    @cached_property
    def _own(self) -> OwnExamples:
        if isinstance(self.learner, TransductiveLearner):
            raise SettingError(
                f"coverage and false alarms cannot rest on the examples, because {type(self.learner).__name__} answers "
                f"inputs together, and an example left out would be alone; choose an inductive learner"
            )
        if self._metric is None:
            raise SettingError(
                f"coverage and false alarms cannot rest on the examples, because {type(self.learner).__name__} would "
                f"learn again without each of them; set rest_on to calibration"
            )
        if int(self.data.counts.min()) < 2:
            return OwnExamples(torch.empty(0), torch.empty(0))
        rest = self.probabilities(self.judged, torch.arange(len(self.data.y)))
        return OwnExamples(1 - rest.gather(1, self.data.y[:, None])[:, 0], self.judged.amax(1))

    def probabilities(self, logits: Tensor, left_out: Tensor | None = None) -> Tensor:
        """Convert logits to probabilities, by the temperature for the number of shots.

        Args:
            logits: Logits, (n, n_labels).
            left_out: Row of the example that was left out for each row of logits, (n,); None if none was.
        """
        logits = logits.cpu().double()
        return (logits if self._temperature is None else logits / self._temperature / self._scale(left_out)).softmax(-1)

    @property
    def scale(self) -> float:
        """Divisor of the logits of queries: the temperature for the number of shots, 1 for plain logits."""
        return 1.0 if self._temperature is None else self._temperature * float(self._scale(None))

    def _scale(self, left_out: Tensor | None) -> Tensor:
        """Return the mean of ``shot_factor`` over the labels, (n, 1)."""
        rise = self.learner.rise if self.confidence is None else self.confidence.rise
        counts = torch.from_numpy(self.data.counts).double()
        factors = shot_factor(counts, rise)
        mean = factors.mean()
        if left_out is not None:
            own = self.data.y[left_out]
            mean = mean + (shot_factor((counts[own] - 1).clamp(min=1), rise) - factors[own]) / len(counts)
        return mean.reshape(-1, 1)

    @cached_property
    def _temperature(self) -> float | None:
        """The calibrated temperature for many shots, or else one that fits the examples; None for plain logits.

        The examples are classified by all others (leave-one-out). If each label has a single example, each is
        classified by the whole classifier.
        """
        if self.confidence is not None:
            return self.confidence.temperature
        if self._metric is None:
            return None
        rows = self.judged_rows
        if len(rows):
            return fit_temperature(self.judged[rows] / self._scale(rows), self.data.y[rows])
        with torch.no_grad():
            logits = self._predictor(self.support.x).cpu().double()
        return fit_temperature(logits / self._scale(None), self.data.y)
