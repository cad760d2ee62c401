"""A learner that has learned one task: labels for inputs, with probabilities, and a folder that keeps it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from quickstudy.classify.confidence import Confidence, percent_of, promised
from quickstudy.errors import DataError, ModelError, SettingError, unknown
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.inputs.images import ImageFormat
from quickstudy.io.files import replace
from quickstudy.io.tensors import pack, unpack
from quickstudy.learners import Learner
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.metric import MetricLearner
from quickstudy.models.build import construct, load, locate, read_config, save
from quickstudy.nets import apply, has_foreign, input_shape
from quickstudy.tasks.tables import TableFormat
from quickstudy.tasks.task import Examples, one_hot
from quickstudy.tasks.text import MINILM
from quickstudy.training.evaluation import depends_on_others

_T = TypeVar("_T")


class Classifier:
    """Predicts the labels that a learner was shown a few examples of.

    Args:
        learner: Meta-learned; left as it is.
        data: The examples to learn from, any number of each class, at least two classes.
        images: What images of files are brought to before they are classified.
        confidence: What the learner's answers are worth; plain softmax if None.
        encoder: Name of what embeds sentences before they are classified (see ``quickstudy.sentence_encoder``).
        table: How rows of tables become vectors before they are classified.

    Raises:
        DataError: Fewer than two classes, or inputs that the learner's net does not take.

    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import MLP
    >>> data = ClassDataset.from_labels(torch.tensor([[0.0, 1.0], [5.0, 0.0], [4.0, 1.0]]), ["cat", "dog", "dog"])
    >>> Classifier(Prototypical(MLP(2, (8,))), data).predict(torch.tensor([[5.0, 0.0]]))
    ['dog']
    """

    def __init__(
        self,
        learner: Learner,
        data: ClassDataset,
        images: ImageFormat | None = None,
        confidence: Confidence | None = None,
        encoder: str | None = None,
        table: TableFormat | None = None,
    ) -> None:
        if data.n_classes < 2:
            raise DataError(f"{data.n_classes} class is no choice; give examples of at least two classes")
        # A copy: whatever becomes of the learner, the answers stay.
        self.learner, self.data, self.images = copy.deepcopy(learner).eval(), data, images
        self.confidence, self.encoder, self.table = confidence, encoder, table
        self.labels = data.names
        self._adapt()

    def _adapt(self) -> None:
        y = one_hot(self.data.y, self.data.n_classes).to(self._weight)
        self.support = Examples(self.inputs(self.data.x), y)
        with torch.no_grad():
            self._predictor = self.learner.adapt(self.support)
            if has_foreign(self.learner) and not self.learner.transductive:
                depends_on_others(self._predictor, self.support.x)  # says so: no promise would hold

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in ("_predictor", "support", "judged")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        vars(self).update(state)
        self._adapt()

    def extend(self, data: ClassDataset) -> Classifier:
        """A classifier that learned from more examples too, of classes known or new."""
        both = np.concatenate([np.array(one.names)[one.y.numpy()] for one in (self.data, data)])
        shown = ClassDataset.from_labels(torch.cat([self.data.x, data.x]), both)
        return self._shown(shown)

    def forget(self, label: str) -> Classifier:
        """A classifier that never saw a class.

        Raises:
            SettingError: It does not know the class.
        """
        if label not in self.labels:
            raise SettingError(unknown("class", label, self.labels))
        rest = [i for i, name in enumerate(self.labels) if name != label]
        return self._shown(self.data.select(rest))

    def _shown(self, data: ClassDataset) -> Classifier:
        return Classifier(self.learner, data, self.images, self.confidence, self.encoder, self.table)

    @property
    def _weight(self) -> Tensor:
        """Any weight: its device and number type are the inputs' too. Double precision where there is none."""
        return next(self.learner.parameters(), torch.empty(0, dtype=torch.float64))

    def predict_proba(self, x: Tensor | np.ndarray) -> np.ndarray:
        """Probability of each label, in the order of ``labels``: inputs (n, *input) to (n, n_labels)."""
        probabilities: np.ndarray = self.probabilities(self._logits(x), self.support).numpy()
        return probabilities

    def predict(self, x: Tensor | np.ndarray) -> list[str]:
        """The most probable label of each input."""
        return [self.labels[i] for i in self.predict_proba(x).argmax(1)]

    def predict_sets(self, x: Tensor | np.ndarray, coverage: float = 0.9) -> list[list[str]]:
        """For each input the labels among which the right one is, with a chance of ``coverage``; likeliest first.

        Where the classifier's own examples are enough to promise it (two of each label, nine in all for 0.9), each is
        judged by the rest, and the promise is for inputs like them. Otherwise, and for learners to which that would be
        dear, those by gradient, it is for tasks like those of the calibration (see ``Confidence``).

        Raises:
            ModelError: The examples are not enough, and the learner is not calibrated.

        Source: Vovk 2015, arXiv:1208.0806, and Barber et al. 2021, arXiv:1905.02928 (examples judged by the rest).
        """
        probabilities = self.probabilities(self._logits(x), self.support)
        most = promised(self._misfits(), percent_of("coverage", coverage))
        inside = 1 - probabilities <= most if most < math.inf else self._calibrated.members(probabilities, coverage)
        order = probabilities.argsort(descending=True)
        return [[self.labels[i] for i in ranks if some[i]] for ranks, some in zip(order, inside, strict=True)]

    def none_of_these(self, x: Tensor | np.ndarray, false_alarms: float = 0.05) -> list[bool]:
        """Whether each input looks like none of the labels.

        By the classifier's own examples, 19 for 0.05, or by the calibration, as ``predict_sets``.

        Args:
            x: Inputs, (n, *input).
            false_alarms: Share of inputs that do belong to a label and are yet called strangers.

        Raises:
            ModelError: The examples are not enough, and the learner is not calibrated.
        """
        logits = self._logits(x)
        own = -self.judged.amax(1) if self._own_suffice else torch.empty(0)
        most = promised(own, 100 - percent_of("false_alarms", false_alarms))
        if most < math.inf:
            return (-logits.amax(1) > most).tolist()
        return self._calibrated.strangers(logits, false_alarms).tolist()

    def left_out(self, x: Tensor) -> Iterator[Tensor]:
        """Logits of inputs (m, *input) by the classifier without each example in turn, (m, n_labels).

        Exact for every learner: it learns again, which a metric learner does without looking at the others again.
        """
        support, learner, metric = self.support, self.learner, self._metric
        if metric:
            support, x = Examples(self.embed(support.x), support.y), self.embed(x)
        for i in range(len(support.x)):
            rest = support.without(i)
            with torch.no_grad():
                logits = metric.comparison(rest)(x) if metric else learner.adapt(rest)(x)
            yield logits.double().cpu()

    @cached_property
    def judged(self) -> Tensor:
        """Logits of each example by the rest, (n, n_labels)."""
        return torch.stack([logits[i] for i, logits in enumerate(self.left_out(self.support.x))])

    def _misfits(self) -> Tensor:
        """1 - the probability of each example's own label by the rest, (n,); none where they do not suffice."""
        if not self._own_suffice:
            return torch.empty(0)
        rest = [self.probabilities(each, self.support.without(i)) for i, each in enumerate(self.judged)]
        return 1 - torch.stack(rest).gather(1, self.data.y[:, None])[:, 0]

    @property
    def _own_suffice(self) -> bool:
        return self._metric is not None and int(self.data.counts.min()) > 1

    @property
    def _metric(self) -> MetricLearner | None:
        """The learner, where its answers compare embeddings that each depend on their own input alone."""
        learner = self.learner
        return learner if isinstance(learner, MetricLearner) and not learner.transductive else None

    @property
    def _calibrated(self) -> Confidence:
        if self.confidence is None:
            raise ModelError("this learner is not calibrated; `quickstudy calibrate RUN`, then adapt again")
        return self.confidence

    def _logits(self, x: Tensor | np.ndarray) -> Tensor:
        with torch.no_grad():
            return self._predictor(self.inputs(torch.as_tensor(x))).double().cpu()

    def probabilities(self, logits: Tensor, support: Examples) -> Tensor:
        """Of logits (n, n_labels) that a support gave: at the temperature of its shots, where one is known."""
        counts = support.y.sum(0).double().clamp(min=1)
        scale = self.confidence.scale(1 / float((1 / counts).mean())) if self.confidence else 1
        return (logits.double().cpu() / scale).softmax(-1)

    def embed(self, x: Tensor) -> Tensor:
        """Return inputs (n, *input) as the learner's net sees them, (n, d); as they are where it has none."""
        net, own = getattr(self.learner, "net", None), self.support.x
        with torch.no_grad():
            if net is None:
                return x.flatten(1)
            if isinstance(self.learner, GradientLearner):
                return apply(net, torch.cat([own, x]), statistics=len(own))[len(own) :]
            return apply(net, x, statistics="population")

    def save(self, folder: Path | str) -> None:
        """Write learner, labels and support examples to a folder, as data."""
        folder = Path(folder)
        replace(folder / "support.safetensors", pack({"x": self.data.x, "y": self.data.y}))
        kept = {"images": self.images, "confidence": self.confidence, "table": self.table}
        plain = {name: one and vars(one) for name, one in kept.items()}
        save(self.learner, folder, labels=list(self.labels), encoder=self.encoder, **plain)

    @classmethod
    def load(cls, folder: Path | str) -> Classifier:
        """The classifier in a folder, with equal predictions.

        Raises:
            ModelError: The folder holds no classifier, or a file in it is damaged.
        """
        labels = read_config(folder).get("labels")
        if labels is None:
            raise ModelError(f"{str(folder)!r} is a learner without labels; `quickstudy adapt` teaches it some")
        if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
            raise ModelError(f"{Path(folder) / 'config.json'}: its labels are not a list of words; adapt again")
        learner, path = load(folder), Path(folder) / "support.safetensors"
        shape = input_shape(learner)
        x = (None, shape and (-1, *shape))
        tensors = unpack(path, {"x": x, "y": (torch.int64, (-1,))})
        try:
            data = ClassDataset(tensors["x"], tensors["y"], tuple(labels))
            return cls(
                learner, data, image_format(folder), confidence(folder), encoder_name(folder), table_format(folder)
            )
        except DataError as error:
            raise ModelError(f"{path} does not fit config.json: {error}") from error

    def inputs(self, x: Tensor) -> Tensor:
        """Inputs as the net takes them, or one line that says what it takes."""
        want = input_shape(self.learner) or tuple(x.shape[1:])
        if tuple(x.shape[1:]) != want:
            raise DataError(f"inputs of shape {tuple(x.shape[1:])}, but the learner takes {want}; convert them")
        x = as_float(x).to(self._weight)
        if not bool(torch.isfinite(x).all()):
            row = int((~torch.isfinite(x.flatten(1)).all(1)).nonzero()[0, 0])
            raise DataError(f"input {row} holds NaN or infinity; clean it or drop it")
        return x


def image_format(folder: Path | str) -> ImageFormat | None:
    """What images of files are brought to for the model in a folder; None where it takes none.

    Raises:
        ModelError: The folder holds no model, or its format is none.
    """
    return _kept(folder, "images", ImageFormat, "train again")


def table_format(folder: Path | str) -> TableFormat | None:
    """How rows of tables become vectors for the model in a folder; None where it takes none.

    Raises:
        ModelError: The folder holds no model, or its format is none.
    """
    return _kept(folder, "table", TableFormat, "train again")


def confidence(folder: Path | str) -> Confidence | None:
    """How far to believe the model in a folder; None where it is not calibrated.

    Raises:
        ModelError: The folder holds no model, or what it says of that is no calibration.
    """
    return _kept(folder, "confidence", Confidence, "calibrate again")


def encoder_name(folder: Path | str) -> str | None:
    """What embeds sentences for the model in a folder; None where it takes none.

    Raises:
        ModelError: The folder holds no model, or names something else than an encoder.
    """
    name = read_config(folder).get("encoder")
    if name is not None and (not isinstance(name, str) or name != MINILM):
        found = str(name)[:200]
        raise ModelError(f"{locate(folder) / 'config.json'} says encoder = {found!r}, known is {MINILM}; train again")
    return name


def _kept(folder: Path | str, name: str, cls: type[_T], mend: str) -> _T | None:
    arguments = read_config(folder).get(name)
    try:
        return construct(cls, arguments) if arguments else None
    except (AttributeError, TypeError, SettingError) as error:
        found = str(arguments)[:200]
        raise ModelError(f"{locate(folder) / 'config.json'} says {name} = {found}: {error}; {mend}") from error
