"""Why this answer: which examples it rests on, what it would be without each, and which pixels mattered."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor
from torch.nn import functional as F

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import DataError, SettingError, unknown
from quickstudy.learners.metric import MetricLearner
from quickstudy.tasks.task import Examples

PixelMethod = Literal["occlusion", "integrated-gradients"]


@dataclass(frozen=True)
class Explanation:
    """One answer of a classifier and what it rests on; examples are in the order of the classifier's own data.

    Attributes:
        labels: The classifier's.
        probabilities: Of each label, (n_labels,).
        label: The answer.
        label_of: Label of each example shown, (n,).
        contributions: What each example adds to the score of its own label, (n,): over a label they sum to its score.
            None where a score is no sum over examples.
        scores: The scores of the labels that contributions sum to; None without.
        influence: How much probability each example lends the answer: what it has less without that example, (n,).
        without: The answer without each example.
        distances: Of the embedding from each example's, (n,).
        places: Two principal coordinates of the embeddings, of the examples and at last of the input, (n + 1, 2).
        descent: Loss on the examples and probability of the answer after 0, 1, ... inner steps, (steps + 1, 2); None
            for learners without inner steps.
    """

    labels: tuple[str, ...]
    probabilities: np.ndarray
    label: str
    label_of: tuple[str, ...]
    contributions: np.ndarray | None
    scores: np.ndarray | None
    influence: np.ndarray
    without: tuple[str, ...]
    distances: np.ndarray
    places: np.ndarray
    descent: np.ndarray | None

    @property
    def nearest(self) -> np.ndarray:
        """Rows of the examples, the most alike first."""
        return self.distances.argsort(kind="stable")

    @property
    def supporting(self) -> np.ndarray:
        """Rows of the examples that speak for the answer, the strongest first."""
        order = (-self.influence).argsort(kind="stable")
        return order[self.influence[order] > 0]

    @property
    def misleading(self) -> np.ndarray:
        """Rows of the examples that speak against the answer, the strongest first."""
        order = self.influence.argsort(kind="stable")
        return order[self.influence[order] < 0]

    def summary(self) -> dict[str, Any]:
        """As plain data."""
        plain = {name: value.tolist() if isinstance(value, np.ndarray) else value for name, value in vars(self).items()}
        order = {name: getattr(self, name).tolist() for name in ("nearest", "supporting", "misleading")}
        return plain | order


def explain(classifier: Classifier, x: Tensor | np.ndarray) -> Explanation:
    """Why a classifier answers as it does to one input.

    Influence is exact for every learner: the classifier learns again without each example in turn, which a metric
    learner does without looking at the others again.

    Args:
        classifier: With at most 1,000 examples.
        x: The input, (*input).

    Raises:
        DataError: The input does not fit.
        SettingError: Too many examples to leave out one by one.

    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import Identity
    >>> from quickstudy.inputs.dataset import ClassDataset
    >>> data = ClassDataset.from_labels(torch.tensor([[0.0, 1.0], [5.0, 0.0], [3.0, 0.0]]), ["cat", "dog", "dog"])
    >>> why = explain(Classifier(Prototypical(Identity(2)), data), torch.tensor([4.0, 0.0]))
    >>> why.label, why.contributions.round().tolist(), why.scores.round().tolist()
    ('dog', [-17.0, 0.0, 0.0], [-17.0, 0.0])
    """
    n = len(classifier.data.x)
    if n > 1000:
        raise SettingError(f"{n} examples are too many to leave out one by one; explain a classifier of at most 1000")
    support, query = classifier.support, classifier.inputs(torch.as_tensor(x)[None])
    learner = classifier.learner
    with torch.no_grad():
        probabilities = classifier.predict_proba(query)[0]
        best = int(probabilities.argmax())
        z, q = classifier.embed(support.x), classifier.embed(query)
        shares = None
        if isinstance(learner, MetricLearner) and not learner.transductive:
            shares = learner.contributions(Examples(z, support.y), q)
    rest = [classifier.probabilities(p, support.without(i))[0] for i, p in enumerate(classifier.left_out(query))]
    both = torch.cat([z, q]).cpu().double().numpy()
    names = classifier.labels
    return Explanation(
        labels=names,
        probabilities=probabilities,
        label=names[best],
        label_of=tuple(names[c] for c in classifier.data.y.tolist()),
        contributions=None if shares is None else shares[0].cpu().numpy(),
        scores=None if shares is None else (shares[0] @ support.y).cpu().numpy(),
        influence=np.array([probabilities[best] - float(p[best]) for p in rest]),
        without=tuple(names[int(p.argmax())] for p in rest),
        distances=np.linalg.norm(both[:-1] - both[-1], axis=1),
        places=_places(both),
        descent=_descent(classifier, support, query, best),
    )


def pixels(classifier: Classifier, x: Tensor | np.ndarray, method: PixelMethod = "occlusion") -> np.ndarray:
    """How much each pixel of an image speaks for the answer, (height, width): its score against all other labels.

    Args:
        classifier: Of images.
        x: (channels, height, width).
        method: "occlusion": what the log odds lose where a patch is wiped out (Zeiler and Fergus 2014, section 4.2,
            arXiv:1311.2901); "integrated-gradients": from an empty page (Sundararajan et al. 2017, arXiv:1703.01365).

    Raises:
        DataError: Not an image.
        SettingError: captum is not installed.
    """
    if method not in get_args(PixelMethod):
        raise SettingError(unknown("method", method, get_args(PixelMethod)))
    try:
        from captum.attr import IntegratedGradients, Occlusion
    except ImportError:
        raise SettingError("captum is not installed; pip install 'quickstudy[explain]'") from None
    query = classifier.inputs(torch.as_tensor(x)[None])
    if query.ndim != 4:
        raise DataError(f"an input of shape {tuple(query.shape[1:])} has no pixels; give (channels, height, width)")
    predictor = classifier.learner.adapt(classifier.support)
    best = int(classifier.predict_proba(query).argmax())

    def odds(inputs: Tensor) -> Tensor:
        logits = predictor(inputs)
        others = torch.cat([logits[:, :best], logits[:, best + 1 :]], 1)
        return logits[:, best] - others.logsumexp(1)

    if method == "occlusion":
        side = max(3, query.shape[-1] // 7)
        with torch.no_grad():
            found = Occlusion(odds).attribute(
                query, (query.shape[1], side, side), strides=(query.shape[1], 1, 1), perturbations_per_eval=64
            )
    else:
        found = IntegratedGradients(odds).attribute(query, n_steps=32)
    heat: np.ndarray = found[0].sum(0).detach().cpu().numpy()
    return heat


def words(probability: Any, sentence: str) -> list[tuple[str, float]]:
    """How much each word of a sentence speaks for the answer: the probability that it has less without the word.

    Args:
        probability: From a list of sentences to the answer's probability for each.
        sentence: Split at white space.

    >>> words(lambda several: [float("book" in one) for one in several], "book a table")
    [('book', 1.0), ('a', 0.0), ('table', 0.0)]
    """
    parts = sentence.split()
    fewer = [" ".join(parts[:i] + parts[i + 1 :]) for i in range(len(parts))]
    whole, *rest = probability([sentence, *fewer])
    return [(word, float(whole) - float(less)) for word, less in zip(parts, rest, strict=True)]


def columns(classifier: Classifier, x: Tensor) -> list[tuple[str, float]]:
    """How much each column of a row speaks for the answer: the probability that it has less were the column unknown.

    Args:
        classifier: Of rows of tables.
        x: The row, (n_features,).
    """
    features = np.array(classifier.table.features if classifier.table else [])
    names = list(dict.fromkeys(features.tolist()))
    unknown = torch.stack([x, *(x.masked_fill(torch.from_numpy(features == name), 0) for name in names)])
    whole, *rest = classifier.predict_proba(unknown)
    return [(name, float((whole - less)[whole.argmax()])) for name, less in zip(names, rest, strict=True)]


def _places(embedded: np.ndarray) -> np.ndarray:
    placed: np.ndarray = PCA(n_components=min(2, *embedded.shape), random_state=0).fit_transform(embedded)
    return np.pad(placed, ((0, 0), (0, 2 - placed.shape[1])))


def _descent(classifier: Classifier, support: Examples, query: Tensor, best: int) -> np.ndarray | None:
    learner = copy.deepcopy(classifier.learner)
    steps = getattr(learner, "steps", None)
    if not hasattr(learner, "test_steps") or not isinstance(steps, int):
        return None
    rows = []
    for done in range(steps + 1):
        learner.test_steps = done  # type: ignore[assignment]
        with torch.no_grad():
            predictor = learner.adapt(support)
            loss = F.cross_entropy(predictor(support.x), support.y)
            rows.append([float(loss), float(classifier.probabilities(predictor(query), support)[0, best])])
    return np.array(rows)
