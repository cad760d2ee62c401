"""What is wrong with a few labelled examples, and which to label next."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import SettingError

_NEAR = 0.1
"""Of the usual distance between examples of a class: what lies nearer looks like a copy."""
_NEIGHBOURS = 20
"""That tell how typical an example is (Hacohen et al. 2022, section 3.1)."""


class Pair(NamedTuple):
    """Two examples, by their rows, that are the same or nearly so."""

    first: int
    second: int
    exact: bool


class Suspect(NamedTuple):
    """An example that the others of its label do not recognise.

    Attributes:
        row: Of the example.
        label: It has.
        better: Label that all other examples together give it.
        probability: Of that label.
    """

    row: int
    label: str
    better: str
    probability: float


class Confusion(NamedTuple):
    """Two labels that are easily taken for each other, and the mean probability that one's examples get the other."""

    first: str
    second: str
    probability: float


def duplicates(classifier: Classifier) -> list[Pair]:
    """Pairs of examples that are copies: equal, or in the learner's eyes a tenth as far apart as those of a class are.

    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import Identity
    >>> from quickstudy.inputs.dataset import ClassDataset
    >>> from quickstudy.inputs.arrays import Arrays
    >>> data = ClassDataset.from_labels(torch.tensor([[0.0], [1.0], [5.0], [5.0]]), list("aabb"))
    >>> duplicates(Classifier(Prototypical(Identity(1)), Arrays((1,)), data))
    [Pair(first=2, second=3, exact=True)]
    """
    z = classifier.embedded.double()
    apart = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist")
    y = classifier.data.y
    first, second = torch.triu_indices(len(z), len(z), offset=1)
    same = y[first] == y[second]
    usual = float(apart[first, second][same].median()) if same.any() else 0.0
    _, same_bytes = np.unique(classifier.data.x.flatten(1).numpy(), axis=0, return_inverse=True)
    group = torch.from_numpy(same_bytes).flatten()
    exact = group[first] == group[second]
    found = exact | (apart[first, second] < _NEAR * usual)
    return [Pair(*pair) for pair in zip(*(x[found].tolist() for x in (first, second, exact)), strict=True)]


def suspects(classifier: Classifier) -> list[Suspect]:
    """Examples that may be labelled wrongly, the likeliest first: learned without it, the rest call it something else.

    An example that is its label's only one cannot be judged.
    """
    known, found = _judged(classifier), []
    for i, p in known.items():
        best, own = int(p.argmax()), int(classifier.data.y[i])
        if best != own:
            found.append(Suspect(i, classifier.labels[own], classifier.labels[best], float(p[best])))
    return sorted(found, key=lambda each: -each.probability)


def confusable(classifier: Classifier, least: float = 0.1) -> list[Confusion]:
    """Pairs of labels that are taken for each other, the worst first.

    Args:
        classifier: Whose examples are each judged by the rest.
        least: Mean probability from which a pair is told.
    """
    mass = np.zeros((len(classifier.labels),) * 2)
    judged = np.zeros(len(classifier.labels))
    for i, p in _judged(classifier).items():
        own = int(classifier.data.y[i])
        mass[own] += p
        judged[own] += 1
    both = (mass + mass.T) / (judged[:, None] + judged).clip(1)
    pairs = [
        Confusion(a, b, float(both[i, j]))
        for i, a in enumerate(classifier.labels)
        for j, b in enumerate(classifier.labels[:i])
        if both[i, j] >= least
    ]
    return sorted(pairs, key=lambda each: -each.probability)


def unbalanced(labels: Counter[str], ratio: float = 3.0) -> list[str]:
    """Labels with fewer examples than a third of the most frequent one's, the fewest first.

    >>> unbalanced(Counter(cat=9, dog=2, cow=4))
    ['dog']
    """
    most = max(labels.values(), default=0)
    return sorted((label for label, n in labels.items() if n * ratio < most), key=lambda label: (labels[label], label))


def next_to_label(classifier: Classifier | None, pool: np.ndarray, n: int) -> list[int]:
    """Rows of unlabelled embeddings that are best labelled next: typical ones of regions that have no label yet.

    All embeddings are clustered, into as many clusters as there will be labelled examples; of the largest clusters
    without one, the example with the nearest neighbours is taken.

    Args:
        classifier: What is labelled so far; None for nothing.
        pool: Embeddings of what is not (see ``Classifier.embed``), (m, d).
        n: How many to label.

    Source: Hacohen et al. 2022, algorithm 1 ("TypiClust"), arXiv:2202.02794.

    >>> sorted(next_to_label(None, np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]]), 2))
    [1, 4]
    """
    if not 1 <= n <= len(pool):
        raise SettingError(f"n={n} to label next of {len(pool)} without a label; give 1 to {len(pool)}")
    pool = np.asarray(pool, dtype=np.float64)
    shown = pool[:0] if classifier is None else classifier.embedded.double().cpu().numpy()
    every = np.concatenate([shown, pool])
    n_clusters = min(len(shown) + n, len(every))
    cluster = KMeans(n_clusters, n_init=3, random_state=0).fit_predict(every)
    labelled, waiting = Counter(cluster[: len(shown)].tolist()), cluster[len(shown) :]
    chosen: list[int] = []
    while len(chosen) < n:
        sizes = Counter(waiting[[i for i in range(len(pool)) if i not in chosen]].tolist())
        target = min(sizes, key=lambda c: (labelled[c], -sizes[c], c))
        rows = [i for i in range(len(pool)) if waiting[i] == target and i not in chosen]
        chosen.append(rows[_most_typical(pool[rows])])
        labelled[target] += 1
    return chosen


def _most_typical(points: np.ndarray) -> int:
    if len(points) < 3:
        return 0
    near = min(_NEIGHBOURS, len(points) - 1)
    distances, _ = NearestNeighbors(n_neighbors=near).fit(points).kneighbors()
    return int(distances.mean(1).argmin())


def _judged(classifier: Classifier) -> dict[int, np.ndarray]:
    """What the rest say of each example that is not its label's only one: probabilities by row."""
    counts, support = classifier.data.counts, classifier.support
    rows = [i for i, c in enumerate(classifier.data.y.tolist()) if counts[c] > 1]
    return {i: classifier.probabilities(classifier.judged[i], support.without(i)).numpy() for i in rows}
