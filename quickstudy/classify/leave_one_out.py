"""Leave-one-out: each example of a classifier classified by all others, and the probabilities that rest on it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256

import numpy as np
import torch
from torch import Tensor

from quickstudy.classify.confidence import Confidence, fit_temperature, shot_factor
from quickstudy.classify.own_examples import OwnExamples, Separation
from quickstudy.classify.start import Start
from quickstudy.errors import SettingError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import Learner, Predictor
from quickstudy.learners.draws import seeded
from quickstudy.learners.metric import MetricLearner
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.tasks.task import Examples
from quickstudy.training.evaluation import depends_on_others

_LEARN_AGAIN = 50
"""Largest number of examples that a learner without embeddings learns again without, one by one, for a warning."""
_TURNS = 300
"""Largest number of turns in which inputs are fitted again, or several copies are left out."""
_AT_ONCE = 1024
"""Number of examples that are converted at once to find copies."""


class LeaveOneOut(ABC):
    """Part of ``Classifier``: its examples judged by each other, and the probabilities that rest on them."""

    learner: Learner
    inputs: Inputs
    data: ClassDataset
    labels: tuple[str, ...]
    confidence: Confidence | None
    support: Examples
    _predictor: Predictor

    @property
    @abstractmethod
    def items(self) -> tuple[Item, ...]:
        """The examples as items."""

    @property
    @abstractmethod
    def embedded(self) -> Tensor:
        """Embeddings of the examples, (n, d)."""

    @abstractmethod
    def embed(self, x: Tensor) -> Tensor:
        """Return the embeddings of inputs, (n, d)."""

    @abstractmethod
    def taken(self, x: Tensor, names: Sequence[str] | None = None) -> Tensor:
        """Return encoded inputs in the learner's number type and on its device."""

    @cached_property
    def metric(self) -> MetricLearner | None:
        """The learner if it compares embeddings that each depend only on their own input, otherwise None.

        A subclass with its own ``adapt`` is no such learner, since it may do anything with the examples.
        """
        learner = self.learner
        if not isinstance(learner, MetricLearner) or learner.transductive:
            return None
        if type(learner).adapt is not MetricLearner.adapt:
            return None
        with torch.no_grad():
            own = type(learner).embed is not MetricLearner.embed
            return None if own and depends_on_others(learner.embed, self.support.x) else learner

    def adapted(self, support: Examples) -> Predictor:
        """Return the learner's predictor of a support. What ``adapt`` draws at random has a fixed seed."""
        with seeded(0):
            return self.learner.adapt(support)

    def left_out(self, x: Tensor | None = None) -> Tensor:
        """Return the logits of inputs by the classifier without each example in turn, (n, m, n_labels).

        The result is exact for every learner, as it learns again each time. A metric learner does not embed the other
        examples again.

        Args:
            x: Inputs, (m, *input). If None, the only input of each turn is its own example, m = 1.
        """
        support = self.support
        with torch.no_grad():
            if metric := self.metric:
                query = None if x is None else self.embed(x)
                return metric.left_out(Examples(self.embedded, support.y), query).cpu().double()
            of_turn = [support.x[i : i + 1] if x is None else x for i in range(len(support.y))]
            logits = [self.adapted(support.without(i))(each) for i, each in enumerate(of_turn)]
        return torch.stack(logits).cpu().double()

    @cached_property
    def judged(self) -> Tensor:
        """Leave-one-out logits of each example, (n, n_labels).

        An example is left out with its copies. Inputs that were fitted to the examples are fitted to the others. If
        this takes too many turns, examples are left out one by one, and the inputs stay.
        """
        logits = self.left_out()[:, 0]
        return self._judge(logits, self._apart) if self.metric and len(self._apart) <= _TURNS else logits

    def _judge(self, logits: Tensor, groups: Sequence[list[int]]) -> Tensor:
        """Return logits (n, n_labels), with those of groups of copies by the classifier without each group."""
        metric, y, logits = self.metric, self.support.y, logits.clone()
        assert metric is not None
        turns = self.inputs.without(self.items, groups) if self.is_fitted else [None] * len(groups)
        with torch.no_grad():
            for rows, x in zip(groups, turns, strict=True):
                z = self.embedded if x is None else self.embed(self.taken(x))
                rest = torch.ones(len(y), dtype=torch.bool, device=y.device)
                rest[rows] = False
                logits[rows] = metric.comparison(Examples(z[rest], y[rest]))(z[rows[:1]]).cpu().double()
        return logits

    @cached_property
    def is_fitted(self) -> bool | None:
        """Whether the inputs were fitted to the examples; None if the examples do not matter to them."""
        return Start(self.learner, self.inputs).is_fitted(self.items)

    @cached_property
    def _groups(self) -> list[list[int]]:
        """Rows of each different example: an example and its exact copies in the same class."""
        groups: dict[tuple[int, bytes], list[int]] = {}
        digests = (
            sha256(row.tobytes()).digest()
            for part in torch.split(self.data.x, _AT_ONCE)
            for row in part.flatten(1).cpu().double().numpy() + 0.0  # 0 and -0 are equal
        )
        for i, key in enumerate(zip(self.data.y.tolist(), digests, strict=True)):
            groups.setdefault(key, []).append(i)
        return list(groups.values())

    @cached_property
    def _copies(self) -> Tensor:
        """Number of copies of each row, itself included, (n,)."""
        sizes = torch.ones(len(self.data.y), dtype=torch.int64)
        for rows in self._groups:
            sizes[rows] = len(rows)
        return sizes

    @property
    def _apart(self) -> list[list[int]]:
        """The groups of ``_groups`` whose turn does not leave out one row alone, by the same inputs."""
        return self._groups if self.is_fitted else [rows for rows in self._groups if len(rows) > 1]

    @property
    def _different(self) -> np.ndarray:
        """Number of different examples of each class, (n_labels,)."""
        return np.bincount(self.data.y[[rows[0] for rows in self._groups]].numpy(), minlength=len(self.labels))

    @property
    def judged_rows(self) -> Tensor:
        """Rows of the examples that leave others of their label when they and their copies are left out.

        There are none if inputs are answered together, since each example would then be a query alone.
        """
        if isinstance(self.learner, TransductiveLearner):
            return torch.empty(0, dtype=torch.int64)
        return (torch.from_numpy(self._different)[self.data.y] > 1).nonzero()[:, 0]

    @cached_property
    def separation(self) -> Separation | None:
        """Separation of the examples (leave-one-out); None if each label has a single example.

        It is also None for a gradient-based learner with more than 50 examples, which would learn again for each. A
        learner that answers inputs together has none.
        """
        rows = self.judged_rows
        if not len(rows) or (self.metric is None and len(self.data.y) > _LEARN_AGAIN):
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
        if self.metric is None:
            raise SettingError(
                f"coverage and false alarms cannot rest on the examples, because {type(self.learner).__name__} would "
                f"learn again without each of them; set rest_on to calibration"
            )
        if self.is_fitted is False:
            raise SettingError(
                f"coverage and false alarms cannot rest on the examples, because the columns were measured on other "
                f"{self.inputs.noun}s; adapt again from all examples"
            )
        if int(self._different.min()) < 2:
            return OwnExamples(torch.empty(0), torch.empty(0))
        groups, logits = self._groups, self.judged
        if len(self._apart) > _TURNS:  # some examples are enough evidence, if chance chooses them
            groups = [groups[i] for i in np.random.default_rng(0).permutation(len(groups))[:_TURNS]]
            logits = self._judge(logits, groups)
        rows = torch.tensor([group[0] for group in groups])
        rest, own = self.probabilities(logits[rows], rows), self.data.y[rows]
        return OwnExamples(1 - rest.gather(1, own[:, None])[:, 0], logits[rows].amax(1))

    def probabilities(self, logits: Tensor, left_out: Tensor | None = None, *, alone: bool = False) -> Tensor:
        """Convert logits to probabilities, by the temperature for the number of shots.

        Args:
            logits: Logits, (n, n_labels).
            left_out: Row of the example that was left out for each row of logits, (n,); None if none was.
            alone: Whether only this row was left out, without its copies.
        """
        logits = logits.cpu().double()
        return (
            logits if self._temperature is None else logits / self._temperature / self._scale(left_out, alone=alone)
        ).softmax(-1)

    @property
    def scale(self) -> float:
        """Divisor of the logits of queries: the temperature for the number of shots, 1 for plain logits."""
        return 1.0 if self._temperature is None else self._temperature * float(self._scale(None))

    def _scale(self, left_out: Tensor | None, *, alone: bool = False) -> Tensor:
        """Return the mean of ``shot_factor`` over the labels, (n, 1)."""
        rise = self.learner.rise if self.confidence is None else self.confidence.rise
        # Copies are no further evidence for a mean, but scores of a regression grow with them too.
        counts = torch.from_numpy(self._different if rise is None else self.data.counts).double()
        factors = shot_factor(counts, rise)
        mean = factors.mean()
        if left_out is not None:
            own, copies = self.data.y[left_out], self._copies[left_out]
            rows = torch.ones_like(copies) if alone else copies
            fewer = (rows == copies).long() if rise is None else rows
            mean = mean + (shot_factor((counts[own] - fewer).clamp(min=1), rise) - factors[own]) / len(counts)
        return mean.reshape(-1, 1)

    @cached_property
    def _temperature(self) -> float | None:
        """The calibrated temperature for many shots, or else one that fits the examples; None for plain logits.

        The examples are classified by all others (leave-one-out), copies as one. If each label has a single example,
        each is classified by the whole classifier.
        """
        if self.confidence is not None:
            return self.confidence.temperature
        if self.metric is None:
            return None
        first = torch.tensor([rows[0] for rows in self._groups])
        rows = first[torch.isin(first, self.judged_rows)]
        if len(rows):
            scale = self._scale(rows, alone=len(self._apart) > _TURNS)
            return fit_temperature(self.judged[rows] / scale, self.data.y[rows])
        with torch.no_grad():
            logits = self._predictor(self.support.x).cpu().double()[first]
        return fit_temperature(logits / self._scale(None), self.data.y[first])
