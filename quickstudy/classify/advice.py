"""Checks of labelled examples: copies, wrong labels, confusable and rare classes, and what to label next."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from scipy.spatial import KDTree
from scipy.spatial.distance import pdist
from sklearn.cluster import KMeans
from sklearn.neighbors import NearestNeighbors

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import SettingError

_NEAR = 0.1
"""Share of the median distance between examples of a class; a nearer pair counts as copies."""
_ALIKE = 0.25
"""The same share for thumbnails of pictures (see benchmarks/copies.py)."""
_NEIGHBOURS = 20
"""Number of neighbours that measure how typical an example is (Hacohen et al. 2022, section 3.1)."""


class Pair(NamedTuple):
    """Two examples, by their rows, that are equal or nearly equal."""

    first: int
    second: int
    exact: bool


class Suspect(NamedTuple):
    """An example that may be labelled wrongly.

    Attributes:
        row: Row of the example.
        label: Label that it has.
        better: Label that a classifier of all other examples predicts.
        probability: Probability of the predicted label.
    """

    row: int
    label: str
    better: str
    probability: float


class Confusion(NamedTuple):
    """Two labels that are easily confused, and the mean probability of one label for examples of the other."""

    first: str
    second: str
    probability: float


def duplicates(classifier: Classifier) -> list[Pair]:
    """Return the pairs of examples that are copies. Of a group of copies, each but the first is the second of one pair.

    Two examples are copies if they are equal, or nearly equal. Pictures are compared by their thumbnails, so that a
    copy may be resized and compressed again (see ``nearness``). Others are nearly equal if the distance of their
    embeddings is below a tenth of the median distance between examples of the same class.

    >>> import torch
    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import Identity
    >>> from quickstudy.inputs.dataset import ClassDataset
    >>> from quickstudy.inputs.arrays import Arrays
    >>> data = ClassDataset.from_labels(torch.tensor([[0.0], [1.0], [5.0], [5.0]]), list("aabb"))
    >>> duplicates(Classifier(Prototypical(Identity(1)), Arrays((1,)), data))
    [Pair(first=2, second=3, exact=True)]
    """
    inputs = classifier.inputs
    z, within = inputs.thumbnails(classifier.items), inputs.copies_within
    y = classifier.data.y.numpy()
    if z is not None:
        within = nearness(z, y, within)
    else:
        z = classifier.embedded.cpu().double().numpy()
        within = _NEAR * _usual_distance(z, y)
    _, same_bytes = np.unique(classifier.data.x.flatten(1).numpy(), axis=0, return_inverse=True)
    group = same_bytes.reshape(-1)
    _, heads = np.unique(group, return_index=True)
    pairs = [Pair(first, row, True) for row, first in enumerate(heads[group].tolist()) if first != row]
    # A search by tree, since a table of all distances would need the square of the number of examples.
    heads.sort()
    near = sorted(tuple(sorted(pair)) for pair in KDTree(z[heads]).query_pairs(within))
    firsts = {j: i for i, j in reversed(near)}  # the first one of each
    pairs += [Pair(int(heads[i]), int(heads[j]), False) for j, i in firsts.items()]
    return sorted(pairs)


def nearness(z: np.ndarray, y: np.ndarray, within: float) -> float:
    """Return the distance of thumbnails below which pictures are copies.

    It is at most a quarter of the median distance between pictures of a class: small pictures of one digit are much
    alike. Where classes have two pictures or fewer, these may be copies themselves, and do not count.

    Args:
        z: Thumbnails, (n, d).
        y: Classes from 0, (n,).
        within: Largest distance for this kind of picture.
    """
    return min(within, _ALIKE * _usual_distance(z, y)) if len(z) > 2 * (y.max() + 1) else within


def _usual_distance(z: np.ndarray, y: np.ndarray) -> float:
    """Return the median distance between embeddings (n, d) of the same class y (n,); 0 without any."""
    distances = [pdist(z[y == c]) for c in np.unique(y)]
    return float(np.median(np.concatenate(distances))) if any(map(len, distances)) else 0.0


def suspects(classifier: Classifier) -> list[Suspect]:
    """Return the examples that may be labelled wrongly, the likeliest first.

    Each example is classified by all others (leave-one-out). It is suspect if they predict another label. The only
    example of a label cannot be judged.
    """
    result = []
    for i, p in _judged(classifier).items():
        best, own = int(p.argmax()), int(classifier.data.y[i])
        if best != own:
            result.append(Suspect(i, classifier.labels[own], classifier.labels[best], float(p[best])))
    return sorted(result, key=lambda each: -each.probability)


def confusable(classifier: Classifier, least: float = 0.1) -> list[Confusion]:
    """Return the pairs of labels that are easily confused, the worst first.

    Args:
        classifier: Classifier whose examples are each classified by all others (leave-one-out).
        least: Smallest mean probability of a pair that is reported.
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
    """Return the labels with less than ``1 / ratio`` of the examples of the most frequent label, the fewest first.

    >>> unbalanced(Counter(cat=9, dog=2, cow=4))
    ['dog']
    """
    most = max(labels.values(), default=0)
    return sorted((label for label, n in labels.items() if n * ratio < most), key=lambda label: (labels[label], label))


def spellings(labels: Iterable[str]) -> list[tuple[str, ...]]:
    """Return labels that differ by capitals, spaces, hyphens, underscores or the form of an accent alone.

    >>> spellings(["Late bus", "late_bus", "refund"])
    [('Late bus', 'late_bus')]
    """
    alike: dict[str, list[str]] = {}
    for label in sorted(set(labels)):
        words = re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", label)).strip()
        alike.setdefault(words.casefold(), []).append(label)
    return [tuple(group) for group in alike.values() if len(group) > 1]


def next_to_label(classifier: Classifier | None, pool: np.ndarray, n: int) -> list[int]:
    """Return the rows of the unlabelled embeddings to label next: typical examples of clusters without a label.

    All embeddings are clustered, into as many clusters as there will be labelled examples. Of each of the largest
    clusters without a labelled example, the embedding with the nearest neighbours is chosen.

    Args:
        classifier: Classifier of the examples that are labelled so far; None if there are none.
        pool: Embeddings of the unlabelled examples (see ``Classifier.embed``), (m, d).
        n: Number of rows to choose.

    Source: Hacohen et al. 2022, algorithm 1 ("TypiClust"), arXiv:2202.02794.

    >>> sorted(next_to_label(None, np.array([[0.0], [0.1], [0.2], [9.0], [9.1], [9.2]]), 2))
    [1, 4]
    """
    if not 1 <= n <= len(pool):
        raise SettingError(f"n={n} is not between 1 and the number of unlabelled examples; give 1 to {len(pool)}")
    pool = np.asarray(pool, dtype=np.float64)
    known = pool[:0] if classifier is None else classifier.embedded.cpu().double().numpy()
    every = np.concatenate([known, pool])
    n_clusters = min(len(known) + n, len(np.unique(every, axis=0)))
    cluster = KMeans(n_clusters, n_init=3, random_state=0).fit_predict(every)
    labelled, waiting = Counter(cluster[: len(known)].tolist()), cluster[len(known) :]
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
    """Return the leave-one-out probabilities of each example, by row, without examples alone in their class."""
    rows = classifier.judged_rows
    if not len(rows):
        return {}
    return dict(zip(rows.tolist(), classifier.probabilities(classifier.judged[rows], rows).numpy(), strict=True))
