"""Classifier: a learner adapted to one task, with its answers, saved as a folder of data."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, get_args

import numpy as np
import torch
from torch import Tensor

from quickstudy.classify import saving
from quickstudy.classify.answer import Answer, Basis
from quickstudy.classify.confidence import Confidence
from quickstudy.classify.examples import encoded
from quickstudy.classify.leave_one_out import LeaveOneOut
from quickstudy.classify.own_examples import OwnExamples
from quickstudy.classify.start import Start
from quickstudy.errors import ClassifierWarning, DataError, ModelError, SettingError, unknown
from quickstudy.inputs.base import Inputs, Item, native
from quickstudy.inputs.batches import BATCH, Skip, encoded_batches
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.learners import Learner, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.metric import Apart, MetricLearner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import apply, has_foreign, input_shape
from quickstudy.nets.copies import copied
from quickstudy.tasks.task import Examples, one_hot
from quickstudy.training.evaluation import depends_on_others

_ROWS = 256
"""Number of examples that are embedded at once."""
_NOT_FINITE = "holds NaN or infinity; clean it or drop it"


class Classifier(LeaveOneOut):
    """Classifier that learns labels from a few examples of each.

    The same examples give the same answers, also after it is saved and loaded. A learner that draws random numbers in
    ``adapt`` draws them from a fixed seed.

    Args:
        learner: Meta-learned learner; it is not changed.
        inputs: Inputs that encode items for the learner.
        examples: Examples to learn from, of at least two classes, with any number per class.
        confidence: Calibration of the learner; plain softmax if None.

    Raises:
        DataError: There are fewer than two classes, or the learner's net does not take the inputs.

    >>> from quickstudy.inputs.arrays import Arrays
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
        self.learner, self.inputs = copied(learner).eval(), inputs
        self.data = encoded(inputs, examples, 1)
        self.confidence, self.labels = confidence, examples.names
        self._adapt()

    @property
    def items(self) -> tuple[Item, ...]:
        """The examples as items, in the order of ``data``."""
        return self.data.items

    def _adapt(self) -> None:
        y = one_hot(self.data.y, self.data.n_classes).to(self._weight)
        self.support = Examples(self.taken(self.data.x, [item.name for item in self.items]), y)
        metric = self.metric
        with torch.no_grad():
            if metric:  # calling adapt would embed the support again
                self._predictor: Predictor = Apart(metric, metric.comparison(Examples(self.embedded, y)))
            else:
                self._predictor = self.adapted(self.support)
            if has_foreign(self.learner) and not self.learner.transductive:
                depends_on_others(self._predictor, self.support.x)  # warns, because no guarantee would hold

    def __getstate__(self) -> dict[str, Any]:
        names = ("learner", "inputs", "data", "confidence", "labels")
        return {name: value for name, value in vars(self).items() if name in names}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._adapt()

    def extend(self, examples: ClassDataset) -> Classifier:
        """Return a classifier that has also learned from more examples, of known or new classes."""
        parts = (self.data, encoded(self.inputs, examples, len(self.items) + 1))
        labels = [part.names[c] for part in parts for c in part.y.tolist()]
        items = [item for part in parts for item in part.items]
        both = ClassDataset.from_labels(torch.cat([part.x for part in parts]), labels, items)
        return self.with_examples(both)

    def forget(self, label: str) -> Classifier:
        """Return a classifier without the examples of one class.

        Raises:
            SettingError: The classifier does not know the class.
        """
        if label not in self.labels:
            raise SettingError(unknown("class", label, self.labels))
        rest = self.data.select([i for i, name in enumerate(self.labels) if name != label])
        return self.with_examples(rest)

    def with_examples(self, examples: ClassDataset) -> Classifier:
        """Return a classifier of other examples. Inputs that were fitted to the examples are fitted to the new ones."""
        start = Start(self.learner, self.inputs, self.confidence).refitted(self.items, examples.items)
        if start.inputs is not self.inputs:
            examples = replace(examples, x=start.inputs.encode(examples.items))
        return Classifier(start.learner, start.inputs, examples, start.confidence)

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
        names: Sequence[str] | None = None,
    ) -> Iterator[Answer]:
        """Yield the answer to each input, with one forward pass per batch.

        Both guarantees rest on the classifier's own examples, each classified by all others (leave-one-out). They hold
        for inputs like the examples. They need at least two examples per label; in total, a coverage of 0.9 needs
        nine, and 0.05 of false alarms needs 19. Gradient-based learners would have to learn again for each example.

        With ``rest_on="calibration"``, the guarantees hold for tasks like those of the calibration (see
        ``Confidence``). For other inputs they may be far off.

        Args:
            things: List of whatever the inputs open or encode (file names, sentences, rows, images, arrays), or an
                array of encoded inputs, (n, *input). A data frame is a list of rows. ``Item(text, text)`` is a
                sentence, also if the text is the name of a file.
            coverage: Probability that the answer's ``members`` include the right label, 0.01 to 0.99.
            false_alarms: Share of inputs of known labels that are called out-of-distribution, 0.01 to 0.99.
            rest_on: "examples" or "calibration".
            skip: Function that is called with the error of each input that cannot be read. The input is then left
                out. If None, the first such input raises its error, after the answers of the batches before it.
            names: Names of the rows of an array; numbers from 1 if None.

        Raises:
            DataError: An input cannot be read; the message names it.
            SettingError: There are too few examples for a guarantee.
            ModelError: The guarantees rest on the calibration, and the learner is not calibrated.
        """
        if rest_on not in get_args(Basis):
            raise SettingError(unknown("rest_on", rest_on, get_args(Basis)))
        evidence = None if coverage is None and false_alarms is None else self._evidence(rest_on)
        if self.separation and self.separation.doubtful:
            warnings.warn(str(self.separation), ClassifierWarning, stacklevel=2)
        for batch, logits in self._logits(things, skip, names):
            probabilities = self.probabilities(logits)
            inside = evidence.members(probabilities, coverage) if evidence and coverage is not None else None
            outside = evidence.strangers(logits, false_alarms) if evidence and false_alarms is not None else None
            for i, (name, row) in enumerate(zip(batch, probabilities, strict=True)):
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

    def _logits(
        self, things: Any, skip: Skip | None = None, names: Sequence[str] | None = None
    ) -> Iterator[tuple[Sequence[str], Tensor]]:
        """Yield the names and the logits (m, n_labels) of each batch of inputs."""
        for batch, x in self._batches(things, skip, names):
            if skip is not None:
                numbers = self._finite(x, batch, skip)
                batch, x = [batch[i] for i in numbers], x[numbers]
            if not len(x):
                continue
            self.inputs.warn_of_blank(x, batch)
            with torch.no_grad():  # not around the yield, where it would hold for the caller too
                logits = self._predictor(self.taken(x, batch)).cpu().double()
            yield batch, logits

    def _finite(self, x: Tensor, names: Sequence[str], skip: Skip) -> list[int]:
        """Return the numbers of the rows that hold no NaN or infinity in the learner's number type."""
        finite = torch.isfinite(as_float(x).to(self._weight).flatten(1)).all(1).tolist()
        for name, is_finite in zip(names, finite, strict=True):
            if not is_finite:
                skip(DataError(f"{name} {_NOT_FINITE}"))
        return [i for i, is_finite in enumerate(finite) if is_finite]

    def _batches(
        self, things: Any, skip: Skip | None, names: Sequence[str] | None
    ) -> Iterator[tuple[Sequence[str], Tensor]]:
        if self.inputs.has_shape(things):
            every = torch.as_tensor(native(things))
            finite = torch.isfinite(every).flatten(1).all(1)  # other rows do not show whether they were encoded
            if self._is_raw or bool(self.inputs.are_encoded(every if finite.all() else every[finite]).all()):
                size = max(1, len(every)) if self.learner.transductive else BATCH
                for start in range(0, len(every), size):
                    rows = range(start, min(start + size, len(every)))
                    yield (
                        [names[i] if names else f"{self.inputs.noun} {i + 1}" for i in rows],
                        every[start : start + size],
                    )
                return
        if names is None:
            items = self.inputs.items(things, skip)
        else:
            items = [Item(name, thing) for name, thing in zip(names, things, strict=True)]
        if message := self.inputs.unknown(items):
            warnings.warn(message, stacklevel=4)
        size = max(1, len(items)) if self.learner.transductive else BATCH
        for numbers, x in encoded_batches(self.inputs, items, skip, size):
            yield [items[i].name for i in numbers], x

    @cached_property
    def _is_raw(self) -> bool:
        """Whether most examples are arrays that were never encoded, as of earlier versions; inputs then are so too."""
        x = self.data.x
        return self.inputs.has_shape(x) and bool(self.inputs.are_encoded(x).float().mean() < 0.5)

    def _evidence(self, rest_on: Basis) -> OwnExamples | Confidence:
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
            ClassifierWarning,
            stacklevel=3,
        )
        return self.confidence

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
            if isinstance(self.learner, MetricLearner) and not self.learner.transductive:
                # In parts, since the maps of a net are large, and each row is independent.
                return torch.cat([self.learner.embed(part) for part in torch.split(x, _ROWS)])
            return apply(net, x, statistics="population")

    def taken(self, x: Tensor, names: Sequence[str] | None = None) -> Tensor:
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
            raise DataError(f"{name} {_NOT_FINITE}")
        return x

    def save(self, folder: Path | str) -> None:
        """Save learner, inputs, labels and examples in a folder, as data; if that fails, the folder stays as it was."""
        saving.save(Path(folder), self.learner, self.inputs, self.data, self.confidence)

    @classmethod
    def load(cls, folder: Path | str | ModelFolder) -> Classifier:
        """Load the classifier in a folder; its predictions equal those of the saved one.

        Raises:
            ModelError: The folder holds no classifier, or a file in it is damaged.
        """
        model = folder if isinstance(folder, ModelFolder) else ModelFolder(folder)
        try:
            return cls(*saving.load(model))
        except DataError as error:
            raise ModelError(f"{model.path / 'support.safetensors'} does not fit config.json: {error}") from error
