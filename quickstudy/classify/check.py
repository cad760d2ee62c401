"""Report on the faults of labelled examples of any kind."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from quickstudy.classify.advice import Confusion, confusable, duplicates, next_to_label, spellings, suspects, unbalanced
from quickstudy.classify.classifier import Classifier
from quickstudy.classify.learn import Look, default_start, kind_of, labelled_items, start_of
from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.batches import encoded_batches
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.rows import COMMON, Columns, opened
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.models.folder import ModelFolder


@dataclass(frozen=True)
class Report:
    """Faults of labelled examples.

    Attributes:
        noun: Word for one example.
        examples: Number of readable examples of each label.
        unreadable: Reason why an example cannot be read, one line each.
        duplicates: Names of two examples that are copies, and whether they are exactly equal. Of a group of copies,
            each but the first is the second of one pair.
        suspects: Name, label, better label and its probability, of examples that may be labelled wrongly.
        confusable: Pairs of labels that are easily confused.
        unbalanced: Labels with few examples.
        spellings: Labels that are probably one label in several spellings.
        doubt: One line that says why no example is judged: the examples are badly separated, or the model answers
            inputs together. None if they are judged. With a doubt, there are no suspects and no confusable pairs.
        blank: Names of examples that show nothing, such as a blank page.
        left_out: One line about the files that are not examples; None if there are none.
        label_next: Names of the unlabelled examples to label next; None if no unlabelled examples were given.
    """

    noun: str
    examples: dict[str, int]
    unreadable: list[str]
    duplicates: list[tuple[str, str, bool]]
    suspects: list[tuple[str, str, str, float]]
    confusable: list[Confusion]
    unbalanced: list[str]
    spellings: list[tuple[str, ...]]
    doubt: str | None
    blank: list[str]
    left_out: str | None
    label_next: list[str] | None = None

    @property
    def sound(self) -> bool:
        """Whether nothing is wrong."""
        of_labels = self.confusable, self.unbalanced, self.spellings
        of_examples = self.unreadable, self.duplicates, self.suspects, self.blank
        return not any((*of_labels, *of_examples, self.doubt, self.left_out))

    def summary(self) -> dict[str, Any]:
        """Return the report as plain data."""
        plain = {
            "examples": self.examples,
            "unreadable": self.unreadable,
            "duplicates": [dict(zip(("first", "second", "exact"), each, strict=True)) for each in self.duplicates],
            "suspects": [
                dict(zip(("input", "label", "better", "probability"), each, strict=True)) for each in self.suspects
            ],
            "confusable": [pair._asdict() for pair in self.confusable],
            "unbalanced": self.unbalanced,
            "spellings": self.spellings,
            "doubt": self.doubt,
            "blank": self.blank,
            "left_out": self.left_out,
        }
        return plain if self.label_next is None else {**plain, "label_next": self.label_next}


def check(
    source: Path | str,
    model: Path | str | None = None,
    unlabelled: Path | str | None = None,
    n: int = 5,
    columns: Columns = COMMON,
    *,
    look: Look | None = None,
    encoder: str | None = None,
) -> Report:
    """Report what is wrong with labelled examples: copies, wrong labels, rare classes, classes that look alike.

    Args:
        source: Labelled examples, as ``quickstudy.adapt`` takes them.
        model: Model that compares the examples, as ``quickstudy.adapt`` takes it.
        unlabelled: Examples without labels: a folder of images, or a file of sentences or rows.
        n: Number of them to name as the best to label next.
        columns: Other names of the columns of files of rows, and their encoding.
        look: "photos" or "drawings", as ``quickstudy.adapt`` takes it.
        encoder: Frozen encoder, as ``quickstudy.adapt`` takes it.

    Raises:
        DataError: The source has fewer than two classes of readable examples.
        ModelError: The model does not take the kind of examples in the source.

    >>> from tempfile import TemporaryDirectory
    >>> from quickstudy.tasks.examples import examples
    >>> with TemporaryDirectory() as folder:
    ...     _ = examples(folder)
    ...     check(f"{folder}/pictures").examples
    {'four': 5, 'seven': 5, 'six': 5, 'three': 5, 'zero': 5}
    """
    source = Path(source)
    if model is None:
        kind = kind_of(source, columns, look, encoder)
        labelled = labelled_items(kind, source, columns)
        start = default_start(kind, [item for item, _ in labelled], encoder)
    else:
        start = start_of(ModelFolder(model))
        labelled = labelled_items(type(start.inputs), source, columns)
    good, x, unreadable = _encoded(start.inputs, [item for item, _ in labelled])
    labels = [labelled[i][1] for i in good]
    if len(set(labels)) < 2:
        raise DataError(f"{str(source)!r} has fewer than two classes with readable {start.inputs.noun}s; add some")
    data = ClassDataset.from_labels(x, labels, [labelled[i][0] for i in good])
    classifier = Classifier(start.learner, start.inputs, data, start.confidence)
    label_next = None
    if unlabelled is not None:
        label_next, damaged = next_examples(classifier, opened(classifier.inputs, [Path(unlabelled)], columns), n)
        unreadable = [*unreadable, *damaged]
    return report_of(classifier, unreadable, classifier.inputs.left_out(source), label_next)


def report_of(
    classifier: Classifier,
    unreadable: Sequence[str] = (),
    left_out: str | None = None,
    label_next: list[str] | None = None,
) -> Report:
    """Report what is wrong with the examples of a classifier.

    Args:
        classifier: Classifier of the examples.
        unreadable: Reason why an example cannot be read, one line each.
        left_out: One line about the files that are not examples.
        label_next: Names of the unlabelled examples to label next.
    """
    names = [item.name for item in classifier.items]
    counts = Counter(classifier.labels[c] for c in classifier.data.y.tolist())
    doubt = _doubt(classifier)
    return Report(
        classifier.inputs.noun,
        dict(counts),
        list(unreadable),
        [(names[pair.first], names[pair.second], pair.exact) for pair in duplicates(classifier)],
        [(names[s.row], s.label, s.better, s.probability) for s in suspects(classifier) if doubt is None],
        confusable(classifier) if doubt is None else [],
        unbalanced(counts),
        spellings(counts),
        doubt,
        [name for name, empty in zip(names, classifier.inputs.blank(classifier.data.x).tolist(), strict=True) if empty],
        left_out,
        label_next,
    )


def _doubt(classifier: Classifier) -> str | None:
    """Return the reason why no example can be judged by the others, or None."""
    if isinstance(classifier.learner, TransductiveLearner):
        return (
            f"labels are not checked, because {type(classifier.learner).__name__} answers inputs together and judges "
            f"no example alone; give an inductive model"
        )
    separation = classifier.separation
    # Where the examples are not separated, nearly every label would look wrong.
    return str(separation) if separation and separation.doubtful else None


def _encoded(inputs: Inputs, items: Sequence[Item]) -> tuple[list[int], Tensor, list[str]]:
    """Return the numbers of the items that can be encoded, their encoding, and an error message for each other item."""
    reasons: list[str] = []
    good: list[int] = []
    parts = [inputs.encode([])]
    for rows, x in encoded_batches(inputs, items, lambda error: reasons.append(str(error))):
        good += rows
        parts.append(x)
    return good, torch.cat(parts), reasons


def next_examples(
    classifier: Classifier, unlabelled: Sequence[Path | str | Item], n: int
) -> tuple[list[str], list[str]]:
    """Return the names of the items to label next, and an error message for each unreadable one."""
    items = classifier.inputs.items(unlabelled)
    good, x, reasons = _encoded(classifier.inputs, items)
    if not good:
        raise DataError(f"no readable {classifier.inputs.noun}s to label next; give others")
    pool = classifier.embed(classifier.taken(x)).cpu().numpy()
    return [items[good[i]].name for i in next_to_label(classifier, pool, min(n, len(good)))], reasons
