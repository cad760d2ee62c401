"""Classifier: a learner adapted to one task, with its answers, saved as a folder of data."""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from quickstudy.classify.answer import Answer, Basis
from quickstudy.classify.confidence import Confidence, fit_temperature, shot_factor
from quickstudy.classify.own_examples import OwnExamples, Separation
from quickstudy.errors import DataError, ModelError, SettingError, unknown
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.batches import BATCH, Skip, encoded_batches
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.io.tensors import joined_bytes, joined_texts, split_bytes, split_texts
from quickstudy.learners import Learner, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.metric import Apart, MetricLearner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import apply, has_foreign, input_shape
from quickstudy.tasks.task import Examples, one_hot
from quickstudy.training.evaluation import depends_on_others

_ROWS = 256
"""Number of examples that are embedded at once."""
_LEARN_AGAIN = 50
"""Largest number of examples that a learner without embeddings learns again without, one by one, for a warning."""


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
        derived = ("_predictor", "support", "embedded", "judged", "_is_raw", "separation", "_temperature", "_own")
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
        self,
        things: Any,
        *,
        coverage: float | None = None,
        false_alarms: float | None = None,
        rest_on: Basis = "examples",
        skip: Skip | None = None,
    ) -> Iterator[Answer]:
        """Yield the answer to each input, with one forward pass per batch.

        Both guarantees rest on the classifier's own examples, each classified by all others (leave-one-out). They hold
        for inputs like the examples. They need at least two examples per label; in total, a coverage of 0.9 needs
        nine, and 0.05 of false alarms needs 19. Gradient-based learners would have to learn again for each example.

        With ``rest_on="calibration"``, the guarantees hold for tasks like those of the calibration (see
        ``Confidence``). For other inputs they may be far off.

        Args:
            things: List of whatever the inputs open or encode (file names, sentences, rows, images, arrays), or an
                array of encoded inputs, (n, *input).
            coverage: Probability that the answer's ``members`` include the right label, 0.01 to 0.99.
            false_alarms: Share of inputs of known labels that are called out-of-distribution, 0.01 to 0.99.
            rest_on: "examples" or "calibration".
            skip: Function that is called with the error of each input that cannot be read. The input is then left
                out. If None, the first such input raises its error, after the answers of the batches before it.

        Raises:
            DataError: An input cannot be read; the message names it.
            SettingError: There are too few examples for a guarantee.
            ModelError: The guarantees rest on the calibration, and the learner is not calibrated.
        """
        evidence = None if coverage is None and false_alarms is None else self._evidence(rest_on)
        if self.separation and self.separation.doubtful:
            warnings.warn(str(self.separation), stacklevel=2)
        for names, logits in self._logits(things, skip):
            probabilities = self.probabilities(logits)
            inside = evidence.members(probabilities, coverage) if evidence and coverage is not None else None
            outside = evidence.strangers(logits, false_alarms) if evidence and false_alarms is not None else None
            for i, (name, row) in enumerate(zip(names, probabilities, strict=True)):
                ranks = row.argsort(descending=True).tolist()
                yield Answer(
                    name,
                    self.labels[ranks[0]],
                    dict(zip(self.labels, row.tolist(), strict=True)),
                    None if inside is None else [self.labels[k] for k in ranks if inside[i, k] or k == ranks[0]],
                    None if inside is None else not bool(inside[i].any()),
                    None if outside is None else bool(outside[i]),
                    rest_on if evidence else None,
                )

    def predict_proba(self, things: Any) -> np.ndarray:
        """Return the probability of each label, in the order of ``labels``, (n, n_labels)."""
        rows = [self.probabilities(logits).numpy() for _, logits in self._logits(things)]
        return np.concatenate(rows) if rows else np.empty((0, len(self.labels)))

    def predict(self, things: Any) -> list[str]:
        """Return the most probable label of each input."""
        return [self.labels[i] for i in self.predict_proba(things).argmax(1)]

    def _logits(self, things: Any, skip: Skip | None = None) -> Iterator[tuple[list[str], Tensor]]:
        """Yield the names and the logits (m, n_labels) of each batch of inputs."""
        for names, x in self._batches(things, skip):
            self.inputs.warn_of_blank(x, names)
            with torch.no_grad():  # not around the yield, where it would hold for the caller too
                logits = self._predictor(self.taken(x, names)).double().cpu()
            yield names, logits

    def _batches(self, things: Any, skip: Skip | None) -> Iterator[tuple[list[str], Tensor]]:
        if self.inputs.is_encoded(things) or (self._is_raw and self.inputs.has_shape(things)):
            every = torch.as_tensor(things)
            size = max(1, len(every)) if self.learner.transductive else BATCH
            for start in range(0, len(every), size):
                x = every[start : start + size]
                yield [f"{self.inputs.noun} {start + i}" for i in range(1, len(x) + 1)], x
            return
        items = self.inputs.items(things, skip)
        size = max(1, len(items)) if self.learner.transductive else BATCH
        for rows, x in encoded_batches(self.inputs, items, skip, size):
            yield [items[i].name for i in rows], x

    @cached_property
    def _is_raw(self) -> bool:
        """Whether most examples are arrays that were never encoded, as of earlier versions; inputs then are so too."""
        x = self.data.x
        return self.inputs.has_shape(x) and bool(self.inputs.are_encoded(x).float().mean() < 0.5)

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
                return metric.left_out(Examples(self.embedded, support.y), query).double().cpu()
            of_turn = [support.x[i : i + 1] if x is None else x for i in range(len(support.y))]
            logits = [self.learner.adapt(support.without(i))(each) for i, each in enumerate(of_turn)]
        return torch.stack(logits).double().cpu()

    @cached_property
    def judged(self) -> Tensor:
        """Leave-one-out logits of each example, (n, n_labels)."""
        return self.left_out()[:, 0]

    @property
    def judged_rows(self) -> Tensor:
        """Rows of the examples that leave others of their label when they are left out."""
        return (torch.from_numpy(self.data.counts)[self.data.y] > 1).nonzero()[:, 0]

    @cached_property
    def separation(self) -> Separation | None:
        """Separation of the examples (leave-one-out); None if each label has a single example.

        It is also None for a gradient-based learner with more than 50 examples, which would learn again for each.
        """
        rows = self.judged_rows
        if not len(rows) or (self._metric is None and len(self.data.y) > _LEARN_AGAIN):
            return None
        right = self.judged[rows].argmax(1) == self.data.y[rows]
        return Separation(int(right.sum()), len(rows), len(self.labels))

    def _evidence(self, rest_on: Basis) -> OwnExamples | Confidence:
        if rest_on not in get_args(Basis):
            raise SettingError(unknown("rest_on", rest_on, get_args(Basis)))
        if rest_on == "examples":
            return self._own
        if self.confidence is None:
            raise ModelError("this learner is not calibrated; `quickstudy calibrate RUN`, then adapt again")
        counts = self.data.counts
        shots = f"{counts.min()}" if counts.min() == counts.max() else f"{counts.min()} to {counts.max()}"
        warnings.warn(
            f"coverage and false alarms rest on the calibration, for {self.confidence.n_way}-way "
            f"{self.confidence.n_shot}-shot tasks; this classifier has {len(self.labels)} labels with {shots} "
            f"examples, and the guarantee may be far off for them",
            stacklevel=3,
        )
        return self.confidence

    @cached_property
    def _own(self) -> OwnExamples:
        if self._metric is None:
            raise SettingError(
                f"coverage and false alarms cannot rest on the examples, because {type(self.learner).__name__} would "
                f"learn again without each of them; set rest_on to calibration"
            )
        if int(self.data.counts.min()) < 2:
            return OwnExamples(torch.empty(0), torch.empty(0))
        rest = self.probabilities(self.judged, torch.arange(len(self.data.y)))
        return OwnExamples(1 - rest.gather(1, self.data.y[:, None])[:, 0], self.judged.amax(1))

    @property
    def _metric(self) -> MetricLearner | None:
        """The learner if it compares embeddings that each depend only on their own input, otherwise None."""
        learner = self.learner
        return learner if isinstance(learner, MetricLearner) and not learner.transductive else None

    def probabilities(self, logits: Tensor, left_out: Tensor | None = None) -> Tensor:
        """Convert logits to probabilities, by the temperature for the number of shots.

        Args:
            logits: Logits, (n, n_labels).
            left_out: Row of the example that was left out for each row of logits, (n,); None if none was.
        """
        logits = logits.double().cpu()
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
            logits = self._predictor(self.support.x).double().cpu()
        return fit_temperature(logits / self._scale(None), self.data.y)

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
            if metric := self._metric:  # in parts, since the maps of a net are large, and each row is independent
                return torch.cat([metric.embed(part) for part in torch.split(x, _ROWS)])
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
        """Save learner, inputs, labels and examples in a folder, as data; if that fails, the folder stays as it was."""
        names, name_ends = joined_texts([item.name for item in self.items])
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
            labels=self.labels,
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
        names = split_texts(parts["names"], parts["name_ends"])
        copies = split_bytes(parts["kept"], parts["kept_ends"])
    except ModelError as error:
        raise ModelError(f"{model.path / name} is damaged: {error}") from error
    return tuple(map(Item, names, copies))
