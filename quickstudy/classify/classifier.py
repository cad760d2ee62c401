"""Classifier: a learner adapted to one task, with its answers, saved as a folder of data."""

from __future__ import annotations

import copy
import math
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quickstudy.classify.confidence import Confidence, conformal_quantile, percent_of
from quickstudy.errors import DataError, ModelError, SettingError, unknown
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.io.tensors import joined_bytes, split_bytes
from quickstudy.learners import Learner, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.metric import Apart, MetricLearner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import apply, has_foreign, input_shape
from quickstudy.tasks.task import Examples, one_hot
from quickstudy.training.evaluation import depends_on_others

BATCH = 64
"""Number of inputs that are encoded and classified at once."""


@dataclass(frozen=True)
class Answer:
    """Answer of a classifier to one input.

    Attributes:
        name: Name of the input.
        label: The most probable label.
        probabilities: Probability of each label.
        members: Conformal set: the labels that include the right one with the requested coverage, likeliest first.
            None if no coverage was requested.
        none: Whether the input is out-of-distribution, so that no label fits. None if ``false_alarms`` was not given.
    """

    name: str
    label: str
    probabilities: dict[str, float]
    members: list[str] | None = None
    none: bool | None = None

    def summary(self, noun: str) -> dict[str, Any]:
        """Return the answer as plain data, with None for the label if no label fits."""
        plain = {noun: self.name, "label": None if self.none else self.label, "probabilities": self.probabilities}
        return plain if self.members is None else {**plain, "set": self.members}


class Classifier:
    """Classifier that learns labels from a few examples of each.

    Args:
        learner: Meta-learned learner; it is not changed.
        inputs: Inputs that encode items for the learner.
        examples: Examples to learn from, of at least two classes, with any number per class.
        confidence: Calibration of the learner; plain softmax if None.

    Raises:
        DataError: There are fewer than two classes, or the learner's net does not take the inputs.

    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import MLP
    >>> data = ClassDataset.from_labels(torch.tensor([[0.0, 1.0], [5.0, 0.0], [4.0, 1.0]]), ["cat", "dog", "dog"])
    >>> Classifier(Prototypical(MLP(2, (8,))), Arrays((2,)), data).predict(torch.tensor([[5.0, 0.0]]))
    ['dog']
    """

    def __init__(
        self, learner: Learner, inputs: Inputs, examples: ClassDataset, confidence: Confidence | None = None
    ) -> None:
        if examples.n_classes < 2:
            raise DataError(f"{examples.n_classes} class is not a choice; give examples of at least two classes")
        # A copy, so that later changes of the learner do not change the answers.
        self.learner, self.inputs = copy.deepcopy(learner).eval(), inputs
        self.data = _encoded(inputs, examples, 1)
        self.confidence, self.labels = confidence, examples.names
        self._adapt()

    @property
    def items(self) -> tuple[Item, ...]:
        """The examples as items, in the order of ``data``."""
        return self.data.items

    def _adapt(self) -> None:
        y = one_hot(self.data.y, self.data.n_classes).to(self._weight)
        self.support = Examples(self.taken(self.data.x, [item.name for item in self.items]), y)
        metric = self._metric
        with torch.no_grad():
            if metric and type(metric).adapt is MetricLearner.adapt:  # calling it would embed the support again
                self._predictor: Predictor = Apart(metric, metric.comparison(Examples(self.embedded, y)))
            else:
                self._predictor = self.learner.adapt(self.support)
            if has_foreign(self.learner) and not self.learner.transductive:
                depends_on_others(self._predictor, self.support.x)  # warns, because no guarantee would hold

    def __getstate__(self) -> dict[str, Any]:
        derived = ("_predictor", "support", "embedded", "judged", "_is_raw", "_misfits", "_calibrated")
        return {name: value for name, value in vars(self).items() if name not in derived}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._adapt()

    def extend(self, examples: ClassDataset) -> Classifier:
        """Return a classifier that has also learned from more examples, of known or new classes."""
        parts = (self.data, _encoded(self.inputs, examples, len(self.items) + 1))
        labels = [part.names[c] for part in parts for c in part.y.tolist()]
        items = [item for part in parts for item in part.items]
        both = ClassDataset.from_labels(torch.cat([part.x for part in parts]), labels, items)
        return Classifier(self.learner, self.inputs, both, self.confidence)

    def forget(self, label: str) -> Classifier:
        """Return a classifier without the examples of one class.

        Raises:
            SettingError: The classifier does not know the class.
        """
        if label not in self.labels:
            raise SettingError(unknown("class", label, self.labels))
        rest = self.data.select([i for i, name in enumerate(self.labels) if name != label])
        return Classifier(self.learner, self.inputs, rest, self.confidence)

    @property
    def _weight(self) -> Tensor:
        """Any weight of the learner; inputs get its device and number type. Double precision without weights."""
        return next(self.learner.parameters(), torch.empty(0, dtype=torch.float64))

    def answer(
        self, things: Any, *, coverage: float | None = None, false_alarms: float | None = None
    ) -> Iterator[Answer]:
        """Yield the answer to each input, with one forward pass per batch.

        Both guarantees use the classifier's own examples if there are enough: at least two per label. In total, a
        coverage of 0.9 needs nine, and 0.05 of false alarms needs 19. Each example is classified by all others
        (leave-one-out). The guarantee then holds for inputs like the examples.

        With too few examples, the guarantees hold for tasks like those of the calibration (see ``Confidence``). The
        same is true of gradient-based learners, which would have to learn again for each example.

        Args:
            things: List of whatever the inputs open or encode (file names, sentences, rows, images, arrays), or an
                array of encoded inputs, (n, *input).
            coverage: Probability that the answer's ``members`` include the right label, 0.01 to 0.99.
            false_alarms: Share of inputs of known labels that are called out-of-distribution, 0.01 to 0.99.

        Raises:
            DataError: An input cannot be read; the message names it.
            ModelError: There are too few examples for a guarantee, and the learner is not calibrated.

        Source: Vovk 2015, arXiv:1208.0806, and Barber et al. 2021, arXiv:1905.02928 (leave-one-out conformal sets).
        """
        for names, logits in self._logits(things):
            probabilities = self.probabilities(logits, self.support)
            inside = None if coverage is None else self._inside(probabilities, coverage)
            outside = None if false_alarms is None else self._outside(logits, false_alarms)
            for i, (name, row) in enumerate(zip(names, probabilities, strict=True)):
                ranks = row.argsort(descending=True).tolist()
                yield Answer(
                    name,
                    self.labels[ranks[0]],
                    dict(zip(self.labels, row.tolist(), strict=True)),
                    None if inside is None else [self.labels[k] for k in ranks if inside[i, k]],
                    None if outside is None else bool(outside[i]),
                )

    def predict_proba(self, things: Any) -> np.ndarray:
        """Return the probability of each label, in the order of ``labels``, (n, n_labels)."""
        rows = [self.probabilities(logits, self.support).numpy() for _, logits in self._logits(things)]
        return np.concatenate(rows) if rows else np.empty((0, len(self.labels)))

    def predict(self, things: Any) -> list[str]:
        """Return the most probable label of each input."""
        return [self.labels[i] for i in self.predict_proba(things).argmax(1)]

    def _logits(self, things: Any) -> Iterator[tuple[list[str], Tensor]]:
        """Yield the names and the logits (m, n_labels) of each batch of inputs."""
        known = self.inputs.is_encoded(things) or (self._is_raw and self.inputs.has_shape(things))
        every = torch.as_tensor(things) if known else self.inputs.items(things)
        size = max(1, len(every)) if self.learner.transductive else BATCH
        for start in range(0, len(every), size):
            batch = every[start : start + size]
            if isinstance(batch, Tensor):
                x, names = batch, [f"{self.inputs.noun} {start + i}" for i in range(1, len(batch) + 1)]
            else:
                x, names = self.inputs.encode(batch), [item.name for item in batch]
            self.inputs.warn_of_blank(x, names)
            with torch.no_grad():  # not around the yield, where it would hold for the caller too
                logits = self._predictor(self.taken(x, names)).double().cpu()
            yield names, logits

    @cached_property
    def _is_raw(self) -> bool:
        """Whether most examples are arrays that were never encoded, as of earlier versions; inputs then are so too."""
        x = self.data.x
        return self.inputs.has_shape(x) and bool(self.inputs.are_encoded(x).float().mean() < 0.5)

    def _inside(self, probabilities: Tensor, coverage: float) -> Tensor:
        largest = conformal_quantile(self._misfits, percent_of("coverage", coverage))
        own = 1 - probabilities <= largest
        return own if largest < math.inf else self._calibrated.members(probabilities, coverage)

    def _outside(self, logits: Tensor, false_alarms: float) -> Tensor:
        own = -self.judged.amax(1) if self._own_suffice else torch.empty(0)
        most = conformal_quantile(own, 100 - percent_of("false_alarms", false_alarms))
        return -logits.amax(1) > most if most < math.inf else self._calibrated.strangers(logits, false_alarms)

    def left_out(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the logits of inputs (m, *input) by the classifier without each example in turn, (m, n_labels).

        The result is exact for every learner, as it learns again each time. A metric learner does not embed the other
        examples again.
        """
        support, learner, metric = self.support, self.learner, self._metric
        if metric:
            support = Examples(self.embedded, support.y)
            x = self.embedded if x is self.support.x else self.embed(x)
        for i in range(len(support.x)):
            rest = support.without(i)
            with torch.no_grad():
                logits = metric.comparison(rest)(x) if metric else learner.adapt(rest)(x)
            yield logits.double().cpu()

    @cached_property
    def judged(self) -> Tensor:
        """Leave-one-out logits of each example, (n, n_labels)."""
        # A clone of each row: a view would keep the logits of all examples, n times.
        return torch.stack([logits[i].clone() for i, logits in enumerate(self.left_out(self.support.x))])

    @cached_property
    def _misfits(self) -> Tensor:
        """1 - the leave-one-out probability of each example's own label, (n,); empty if examples are too few."""
        if not self._own_suffice:
            return torch.empty(0)
        rest = [self.probabilities(each, self.support.without(i)) for i, each in enumerate(self.judged)]
        return 1 - torch.stack(rest).gather(1, self.data.y[:, None])[:, 0]

    @property
    def _own_suffice(self) -> bool:
        return self._metric is not None and int(self.data.counts.min()) > 1

    @property
    def _metric(self) -> MetricLearner | None:
        """The learner if it compares embeddings that each depend only on their own input, otherwise None."""
        learner = self.learner
        return learner if isinstance(learner, MetricLearner) and not learner.transductive else None

    @cached_property
    def _calibrated(self) -> Confidence:
        """The calibration, to which guarantees fall back. A warning reports that, once per classifier."""
        if self.confidence is None:
            raise ModelError("this learner is not calibrated; `quickstudy calibrate RUN`, then adapt again")
        shots = f"{self.confidence.n_way}-way {self.confidence.n_shot}-shot"
        warnings.warn(
            f"coverage and false alarms rest on the calibration, for {shots} tasks, and may be far off for others: "
            f"{len(self.data.y)} examples are too few to measure them, or this learner does not leave them out",
            stacklevel=2,
        )
        return self.confidence

    def probabilities(self, logits: Tensor, support: Examples) -> Tensor:
        """Convert logits (n, n_labels) to probabilities, at the calibrated temperature for the support's shots."""
        counts = support.y.sum(0).double().clamp(min=1)
        scale = self.confidence.scale(1 / float((1 / counts).mean())) if self.confidence else 1
        return (logits.double().cpu() / scale).softmax(-1)

    @cached_property
    def embedded(self) -> Tensor:
        """Embeddings of the examples by the learner's net, (n, d)."""
        return self.embed(self.support.x)

    def embed(self, x: Tensor) -> Tensor:
        """Return the embeddings of inputs (n, *input) by the learner's net, (n, d); without a net, flat inputs."""
        net, own = getattr(self.learner, "net", None), self.support.x
        with torch.no_grad():
            if net is None:
                return x.flatten(1)
            if isinstance(self.learner, GradientLearner):
                return apply(net, torch.cat([own, x]), statistics=len(own))[len(own) :]
            if metric := self._metric:
                return metric.embed(x)
            return apply(net, x, statistics="population")

    def taken(self, x: Tensor, names: list[str] | None = None) -> Tensor:
        """Return encoded inputs (n, *input) in the learner's number type and on its device.

        Raises:
            DataError: The inputs have another shape than the learner takes, or hold NaN or infinity.
        """
        shape = input_shape(self.learner) or tuple(x.shape[1:])
        if tuple(x.shape[1:]) != shape:
            raise DataError(f"inputs of shape {tuple(x.shape[1:])}, but the learner takes {shape}; convert them")
        x = as_float(x).to(self._weight)
        if not bool(torch.isfinite(x).all()):
            row = int((~torch.isfinite(x.flatten(1)).all(1)).nonzero()[0, 0])
            name = names[row] if names else f"input {row + 1}"
            raise DataError(f"{name} holds NaN or infinity; clean it or drop it")
        return x

    def save(self, folder: Path | str) -> None:
        """Save learner, inputs, labels and examples in a folder, as data."""
        names, name_ends = joined_bytes([item.name.encode() for item in self.items])
        copies, copy_ends = joined_bytes([self.inputs.keep(item) for item in self.items])
        ModelFolder(Path(folder)).write(
            self.learner,
            self.inputs,
            {
                "support.safetensors": {"x": self.data.x, "y": self.data.y},
                "examples.safetensors": {
                    "names": names,
                    "name_ends": name_ends,
                    "kept": copies,
                    "kept_ends": copy_ends,
                },
            },
            labels=list(self.labels),
            confidence=self.confidence and vars(self.confidence),
        )

    @classmethod
    def load(cls, folder: Path | str | ModelFolder) -> Classifier:
        """Load the classifier in a folder; its predictions equal those of the saved one.

        Raises:
            ModelError: The folder holds no classifier, or a file in it is damaged.
        """
        model = folder if isinstance(folder, ModelFolder) else ModelFolder(folder)
        if model.labels is None:
            raise ModelError(f"{model.place!r} is a learner without labels; make a classifier by `quickstudy adapt`")
        shape, path = input_shape(model.learner), model.path / "support.safetensors"
        x = model.tensors("support.safetensors", {"x": (None, shape and (-1, *shape)), "y": (torch.int64, (-1,))})
        try:
            data = ClassDataset(x["x"], x["y"], model.labels, _items(model, len(x["y"])))
            inputs = model.inputs or Arrays(tuple(data.x.shape[1:]))
            return cls(model.learner, inputs, _named(data, 1), model.entry("confidence", Confidence))
        except DataError as error:
            raise ModelError(f"{path} does not fit config.json: {error}") from error


def _encoded(inputs: Inputs, examples: ClassDataset, first: int) -> ClassDataset:
    """Return examples with items; arrays of the encoded shape that are images, but not encoded, are encoded."""
    named = _named(examples, first)
    if examples.items or not inputs.has_shape(examples.x) or inputs.is_encoded(examples.x):
        return named
    items = tuple(
        item._replace(value=one.value) for item, one in zip(named.items, inputs.items(examples.x), strict=True)
    )
    return replace(named, x=inputs.encode(items), items=items)


def _named(examples: ClassDataset, first: int) -> ClassDataset:
    """Return examples with items, numbered from ``first`` where they have none."""
    if examples.items:
        return examples
    return replace(examples, items=tuple(Item(f"example {i}", x) for i, x in enumerate(examples.x, first)))


def _items(model: ModelFolder, n: int) -> tuple[Item, ...]:
    """Return the items of a saved classifier's examples; empty if they were not saved."""
    name = "examples.safetensors"
    if not os.path.lexists(model.path / name):
        return ()
    bytes_, ends = (torch.uint8, (-1,)), (torch.int64, (n,))
    parts = model.tensors(name, {"names": bytes_, "name_ends": ends, "kept": bytes_, "kept_ends": ends})
    try:
        names = [part.decode() for part in split_bytes(parts["names"], parts["name_ends"])]
        copies = split_bytes(parts["kept"], parts["kept_ends"])
    except (ModelError, UnicodeDecodeError) as error:
        raise ModelError(f"{model.path / name} is damaged: {error}") from error
    return tuple(map(Item, names, copies))
