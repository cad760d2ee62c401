"""Changes of a classifier: its first examples, more of them, fewer, and other labels."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.learn import default_start
from quickstudy.errors import DataError, SettingError, unknown
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset

_AT_ONCE = 16
"""Number of examples that are encoded at once, so that other threads may use the encoder in between."""
_SAMPLE = 30
"""Number of values that decide what all are."""


def kind_of_values(values: Sequence[Any]) -> type[Inputs] | None:
    """Return the first kind of inputs that takes most of some values; None if no kind does.

    >>> kind_of_values(["a sentence", "another"]).noun
    'text'
    """
    sample = values[:_SAMPLE]
    return next((kind for kind in INPUTS.values() if _mostly(kind.takes(one) for one in sample)), None)


def learned(labelled: Sequence[tuple[Item, str]], kind: type[Inputs] | None = None) -> Classifier:
    """Return a classifier of labelled items, by the model of their kind.

    Args:
        labelled: Items with their labels, of at least two classes.
        kind: Kind of inputs; if None, the items decide.

    Raises:
        DataError: No kind takes the items, one cannot be read, or there are fewer than two classes.

    >>> learned([(Item("a", {"size": 1}), "small"), (Item("b", {"size": 5}), "large")]).labels
    ('large', 'small')
    """
    if len({label for _, label in labelled}) < 2:
        raise DataError(f"{len(labelled) and 1} class is not a choice; give examples of at least two classes")
    items = [item for item, _ in labelled]
    kind = kind or kind_of_values([item.value for item in items])
    if kind is None:
        raise DataError("the examples are of no known kind; give pictures, sentences or rows")
    start = default_start(kind, items)
    return Classifier(start.learner, start.inputs, _small(start.inputs, labelled), start.confidence)


def with_more(classifier: Classifier, labelled: Sequence[tuple[Item, str]]) -> Classifier:
    """Return a classifier that has also learned from more labelled items.

    Raises:
        DataError: An item cannot be read.
    """
    return classifier.extend(_small(classifier.inputs, labelled))


def without(classifier: Classifier, rows: Iterable[int]) -> Classifier:
    """Return a classifier without the examples of some rows; a class without examples is forgotten.

    Raises:
        DataError: Fewer than two classes are left.
    """
    dropped = set(rows)
    return _changed(classifier, lambda row, label: None if row in dropped else label)


def relabelled(classifier: Classifier, row: int, label: str) -> Classifier:
    """Return a classifier in which the example of a row has another label.

    Raises:
        DataError: Fewer than two classes are left.
    """
    return _changed(classifier, lambda i, old: label if i == row else old)


def renamed(classifier: Classifier, label: str, to: str) -> Classifier:
    """Return a classifier in which a class has another label; the label of another class joins the two.

    Raises:
        SettingError: The classifier does not know the class.
        DataError: Fewer than two classes are left.
    """
    if label not in classifier.labels:
        raise SettingError(unknown("class", label, classifier.labels))
    return _changed(classifier, lambda _, old: to if old == label else old)


def _changed(classifier: Classifier, label_of: Callable[[int, str], str | None]) -> Classifier:
    """Return a classifier with other labels, without the examples that get none."""
    data = classifier.data
    labels = [label_of(row, data.names[c]) for row, c in enumerate(data.y.tolist())]
    rows = [row for row, label in enumerate(labels) if label is not None]
    left = {labels[row] for row in rows}
    if len(left) < 2:
        raise DataError(f"{len(left)} class would be left, which is not a choice; add another class first")
    rest = ClassDataset.from_labels(data.x[rows], [labels[row] for row in rows], [data.items[row] for row in rows])
    return classifier.with_examples(rest)


def _small(inputs: Inputs, labelled: Sequence[tuple[Item, str]]) -> ClassDataset:
    """Return encoded examples, whose items hold the small copies that are saved."""
    items = [item for item, _ in labelled]
    x = [inputs.encode(items[start : start + _AT_ONCE]) for start in range(0, len(items), _AT_ONCE)]
    data = ClassDataset.from_labels(torch.cat(x), [label for _, label in labelled], items)
    inputs.warn_of_blank(data.x, [item.name for item in data.items])
    return replace(data, items=tuple(Item(item.name, inputs.keep(item)) for item in data.items))


def _mostly(votes: Iterable[bool]) -> bool:
    given = list(votes)
    return 2 * sum(given) > len(given)
