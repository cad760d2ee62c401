"""Explanation of an answer: the examples and the parts of the input that it depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional as F

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import DataError, SettingError, unknown
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import as_float
from quickstudy.learners.draws import seeded
from quickstudy.nets.copies import copied
from quickstudy.tasks.task import Examples

PixelMethod = Literal["occlusion", "integrated-gradients"]
_AT_ONCE = 2**20
"""Numbers of changed images that are answered at once; at least 8 images are, and at most 64."""
_LEARN_AGAIN = 1000
"""Largest number of examples that a learner without embeddings learns again without, one by one."""


@dataclass(frozen=True)
class Explanation:
    """An answer of a classifier and its reasons; examples are in the order of the classifier's own data.

    Attributes:
        labels: Labels of the classifier.
        probabilities: Probability of each label, (n_labels,).
        label: The answer.
        examples: Name of each example, (n,).
        label_of: Label of each example, (n,).
        contributions: Share of each example in the score of its label, (n,). The shares of a label sum to its
            score. None if scores are not sums over examples.
        scores: Score of each label, (n_labels,); None if there are no contributions.
        influence: Probability that the answer loses if an example is left out, for each example, (n,).
        without: Answer if an example is left out, for each example.
        distances: Distance of the input's embedding from each example's, (n,).
        places: Two principal coordinates of the embeddings of the examples and, last, of the input, (n + 1, 2).
        descent: Loss on the examples and probability of the answer after 0, 1, ... inner steps, (steps + 1, 2); None
            for learners without inner steps.
        parts: Each part of the input (a word, a column, a patch) and the probability that the answer loses without it.
    """

    labels: tuple[str, ...]
    probabilities: np.ndarray
    label: str
    examples: tuple[str, ...]
    label_of: tuple[str, ...]
    contributions: np.ndarray | None
    scores: np.ndarray | None
    influence: np.ndarray
    without: tuple[str, ...]
    distances: np.ndarray
    places: np.ndarray
    descent: np.ndarray | None
    parts: list[tuple[str, float]]

    @property
    def nearest(self) -> np.ndarray:
        """Rows of the examples, the most similar first."""
        return self.distances.argsort(kind="stable")

    @property
    def supporting(self) -> np.ndarray:
        """Rows of the examples that support the answer, the strongest first."""
        order = (-self.influence).argsort(kind="stable")
        return order[self.influence[order] > 0]

    @property
    def misleading(self) -> np.ndarray:
        """Rows of the examples that oppose the answer, the strongest first."""
        order = self.influence.argsort(kind="stable")
        return order[self.influence[order] < 0]

    def summary(self) -> dict[str, Any]:
        """Return the explanation as plain data without ``parts``, whose key depends on the kind of input."""
        facts = {name: value for name, value in vars(self).items() if name != "parts"}
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in facts.items()}
        order = {name: getattr(self, name).tolist() for name in ("nearest", "supporting", "misleading")}
        return plain | order


def explain(classifier: Classifier, thing: Any) -> Explanation:
    """Explain the answer of a classifier to one input.

    Influence is exact for every learner (leave-one-out): the classifier learns again without each example in turn. A
    metric learner does not embed the other examples again. The contribution of a part is exact too: the input is
    classified without it.

    Args:
        classifier: Classifier of at most 1,000 examples, or of any number if its learner compares embeddings.
        thing: Input that the classifier's inputs open or encode (a file name, a sentence, a row, an image), or an
            encoded array, (*input).

    Raises:
        DataError: The input cannot be read or has another shape than the classifier takes.
        SettingError: There are too many examples to leave out one by one.

    >>> from quickstudy.inputs.arrays import Arrays
    >>> from quickstudy.inputs.dataset import ClassDataset
    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import Identity
    >>> data = ClassDataset.from_labels(torch.tensor([[0.0, 1.0], [5.0, 0.0], [3.0, 0.0]]), ["cat", "dog", "dog"])
    >>> why = explain(Classifier(Prototypical(Identity(2)), Arrays((2,)), data), torch.tensor([4.0, 0.0]))
    >>> why.label, why.contributions.round().tolist(), why.scores.round().tolist()
    ('dog', [-17.0, 0.0, 0.0], [-17.0, 0.0])
    """
    n = len(classifier.data.y)
    if n > _LEARN_AGAIN and classifier.metric is None:
        raise SettingError(
            f"{type(classifier.learner).__name__} would learn again without each of {n} examples; explain a classifier "
            f"of at most {_LEARN_AGAIN}, or one whose learner compares embeddings"
        )
    item = one_item(classifier, thing)
    support, query = classifier.support, encoded_query(classifier, item)
    with torch.no_grad():
        probabilities = classifier.predict_proba([item])[0]
        best = int(probabilities.argmax())
        z, q = classifier.embedded, classifier.embed(query)
        shares = metric.contributions(Examples(z, support.y), q) if (metric := classifier.metric) else None
    rest = classifier.probabilities(classifier.left_out(query)[:, 0], torch.arange(n), alone=True)
    both = torch.cat([z, q]).cpu().double().numpy()
    names = classifier.labels
    return Explanation(
        labels=names,
        probabilities=probabilities,
        label=names[best],
        examples=tuple(each.name for each in classifier.items),
        label_of=tuple(names[c] for c in classifier.data.y.tolist()),
        contributions=None if shares is None else shares[0].cpu().numpy(),
        scores=None if shares is None else (shares[0] @ support.y).cpu().numpy(),
        influence=probabilities[best] - rest[:, best].numpy(),
        without=tuple(names[i] for i in rest.argmax(1).tolist()),
        distances=np.linalg.norm(both[:-1] - both[-1], axis=1),
        places=_places(both),
        descent=_descent(classifier, support, query, best),
        parts=_parts(classifier, item, probabilities[best], best),
    )


def one_item(classifier: Classifier, thing: Any) -> Item:
    """Return one input as an item: the first item that the classifier's inputs open."""
    return classifier.inputs.items([thing])[0]


def encoded_query(classifier: Classifier, item: Item) -> Tensor:
    """Return one item as a batch of one encoded input, (1, *input)."""
    return classifier.taken(classifier.inputs.encode([item]), [item.name])


def _parts(classifier: Classifier, item: Item, whole: float, best: int) -> list[tuple[str, float]]:
    """Return the probability that the answer loses without each part of an item."""
    parts = list(classifier.inputs.parts(item))
    if not parts or classifier.learner.transductive:  # transductive answers depend on the other inputs of a batch
        return []
    without = classifier.predict_proba([rest for _, rest in parts])[:, best]
    return [(part, float(whole - less)) for (part, _), less in zip(parts, without, strict=True)]


def pixels(classifier: Classifier, thing: Any, method: PixelMethod | str = "occlusion") -> np.ndarray:
    """Return the support of each pixel of an image for the answer against all other labels, (height, width).

    The pixels of a photograph are those of the part that its encoder sees.

    Args:
        classifier: Classifier of images.
        thing: Image, as ``explain`` takes it.
        method: "occlusion" measures the loss of log odds if a patch is erased (Zeiler and Fergus 2014, section 4.2,
            arXiv:1311.2901). "integrated-gradients" integrates gradients from an empty page, or from the mean colour
            of a photograph (Sundararajan et al. 2017, arXiv:1703.01365).

    Raises:
        DataError: The input is not an image.
        SettingError: The method is unknown, or captum is not installed.
    """
    if method not in get_args(PixelMethod):
        raise SettingError(unknown("method", method, get_args(PixelMethod)))
    try:
        from captum.attr import IntegratedGradients, Occlusion
    except ImportError:
        raise SettingError("captum is not installed; pip install 'quickstudy[explain]'") from None
    item = one_item(classifier, thing)
    query = encoded_query(classifier, item)
    seen = classifier.inputs.seen(item)
    x, ground = (as_float(each).to(query) for each in (seen.x, seen.ground))
    if x.ndim != 4:
        raise DataError(f"an input of shape {tuple(x.shape[1:])} has no pixels; give (channels, height, width)")
    predictor = classifier.adapted(classifier.support)
    best = int(classifier.predict_proba([item]).argmax())

    def odds(inputs: Tensor) -> Tensor:
        logits = predictor(seen.encode(inputs).to(query))
        others = torch.cat([logits[:, :best], logits[:, best + 1 :]], 1)
        return logits[:, best] - others.logsumexp(1)

    at_once = min(64, max(8, _AT_ONCE // x.numel()))
    if method == "occlusion":
        side = max(3, x.shape[-1] // 7)
        stride = max(1, side // 4)
        with torch.no_grad():
            attribution = Occlusion(odds).attribute(
                x, (x.shape[1], side, side), (x.shape[1], stride, stride), ground, perturbations_per_eval=at_once
            )
    else:
        attribution = IntegratedGradients(odds).attribute(x, ground, n_steps=32, internal_batch_size=at_once)
    heat: np.ndarray = attribution[0].sum(0).detach().cpu().numpy()
    return heat


def _places(embedded: np.ndarray) -> np.ndarray:
    coordinates: np.ndarray = PCA(n_components=min(2, *embedded.shape), random_state=0).fit_transform(embedded)
    return np.pad(coordinates, ((0, 0), (0, 2 - coordinates.shape[1])))


def _descent(classifier: Classifier, support: Examples, query: Tensor, best: int) -> np.ndarray | None:
    learner = copied(classifier.learner)
    steps = getattr(learner, "steps", None)
    if not hasattr(learner, "test_steps") or not isinstance(steps, int):
        return None
    rows = []
    for n_steps in range(steps + 1):
        learner.test_steps = n_steps  # type: ignore[assignment]
        with torch.no_grad(), seeded(0):
            predictor = learner.adapt(support)
            loss = F.cross_entropy(predictor(support.x), support.y)
            rows.append([float(loss), float(classifier.probabilities(predictor(query))[0, best])])
    return np.array(rows)
