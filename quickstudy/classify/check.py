"""Report on the faults of labelled examples of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from quickstudy.classify.advice import Confusion, confusable, duplicates, next_to_label, suspects, unbalanced
from quickstudy.classify.classifier import BATCH, Classifier
from quickstudy.classify.learn import default_start, kind_of, labelled_items, start_of
from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.rows import COMMON, Columns, opened
from quickstudy.models.folder import ModelFolder


@dataclass(frozen=True)
class Report:
    """Faults of labelled examples.

    Attributes:
        noun: Word for one example.
        examples: Number of readable examples of each label.
        unreadable: Reason why an example cannot be read, one line each.
        duplicates: Names of two examples that are copies, and whether they are exactly equal.
        suspects: Name, label, better label and its probability, of examples that may be labelled wrongly.
        confusable: Pairs of labels that are easily confused.
        unbalanced: Labels with few examples.
        label_next: Names of the unlabelled examples to label next; None if no unlabelled examples were given.
    """

    noun: str
    examples: dict[str, int]
    unreadable: list[str]
    duplicates: list[tuple[str, str, bool]]
    suspects: list[tuple[str, str, str, float]]
    confusable: list[Confusion]
    unbalanced: list[str]
    label_next: list[str] | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.unreadable or self.duplicates or self.suspects or self.confusable or self.unbalanced)

    def summary(self) -> dict[str, Any]:
        """Return the report as plain data."""
        plain = {
            "examples": self.examples,
            "unreadable": self.unreadable,
            "duplicates": [dict(zip(("first", "second", "exact"), each, strict=True)) for each in self.duplicates],
            "suspects": [
                dict(zip((self.noun, "label", "better", "probability"), each, strict=True)) for each in self.suspects
            ],
            "confusable": [pair._asdict() for pair in self.confusable],
            "unbalanced": self.unbalanced,
        }
        return plain if self.label_next is None else {**plain, "label_next": self.label_next}


def check(
    source: Path | str,
    model: Path | str | None = None,
    unlabelled: Path | str | None = None,
    n: int = 5,
    columns: Columns = COMMON,
) -> Report:
    """Report what is wrong with labelled examples: copies, wrong labels, rare classes, classes that look alike.

    Args:
        source: Labelled examples, as ``quickstudy.adapt`` takes them.
        model: Model that compares the examples, as ``quickstudy.adapt`` takes it.
        unlabelled: Examples without labels: a folder of images, or a file of sentences or rows.
        n: Number of them to name as the best to label next.
        columns: Other names of the columns of files of rows, and their encoding.

    Raises:
        DataError: The source has fewer than two classes of readable examples.
        ModelError: The model does not take the kind of examples in the source.
    """
    source = Path(source)
    if model is None:
        kind = kind_of(source, columns)
        labelled = labelled_items(kind, source, columns)
        start = default_start(kind, [item for item, _ in labelled])
    else:
        start = start_of(ModelFolder(model))
        labelled = labelled_items(type(start.inputs), source, columns)
    good, x, unreadable = _encoded(start.inputs, labelled)
    labels = [label for _, label in good]
    if len(set(labels)) < 2:
        raise DataError(f"{str(source)!r} has fewer than two classes with readable {start.inputs.noun}s; add some")
    data = ClassDataset.from_labels(x, labels, [item for item, _ in good])
    classifier = Classifier(start.learner, start.inputs, data, start.confidence)
    label_next = None
    if unlabelled is not None:
        label_next, damaged = _next(classifier, opened(classifier.inputs, [Path(unlabelled)], columns), n)
        unreadable = [*unreadable, *damaged]
    names = [item.name for item in classifier.items]
    counts = Counter(labels)
    return Report(
        classifier.inputs.noun,
        dict(counts),
        unreadable,
        [(names[pair.first], names[pair.second], pair.exact) for pair in duplicates(classifier)],
        [(names[s.row], s.label, s.better, s.probability) for s in suspects(classifier)],
        confusable(classifier),
        unbalanced(counts),
        label_next,
    )


def _encoded(inputs: Inputs, labelled: Sequence[tuple[Item, str]]) -> tuple[list[tuple[Item, str]], Tensor, list[str]]:
    """Return the items that can be encoded, what they are encoded to, and an error message for each other item."""
    good: list[tuple[Item, str]] = []
    parts: list[Tensor] = [inputs.encode([])]
    reasons: list[str] = []
    for start in range(0, len(labelled), BATCH):
        batch = labelled[start : start + BATCH]
        try:
            parts.append(inputs.encode([item for item, _ in batch]))
            good += batch
        except DataError:  # at least one item is unreadable: try each alone
            for pair in batch:
                try:
                    parts.append(inputs.encode([pair[0]]))
                    good.append(pair)
                except DataError as error:
                    reasons.append(str(error))
    return good, torch.cat(parts), reasons


def _next(classifier: Classifier, unlabelled: Sequence[Path | str | Item], n: int) -> tuple[list[str], list[str]]:
    """Return the names of the items to label next, and an error message for each unreadable one."""
    items = classifier.inputs.items(unlabelled)
    good, x, reasons = _encoded(classifier.inputs, [(item, "") for item in items])
    if not good:
        raise DataError(f"no readable {classifier.inputs.noun}s to label next; give others")
    pool = classifier.embed(classifier.taken(x)).cpu().numpy()
    return [good[i][0].name for i in next_to_label(classifier, pool, min(n, len(good)))], reasons
