"""Sizes of tasks that a data set is large enough for."""

from __future__ import annotations

from quickstudy.errors import NotEnoughClasses, NotEnoughExamples
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners.registry import LEARNERS
from quickstudy.runs.schema import Settings
from quickstudy.tasks.splits import Splits


def check_sizes(settings: Settings, splits: Splits) -> None:
    """Check that the classes suffice for the tasks of a training and its validations.

    Args:
        settings: Completed settings.
        splits: Data set, or only its labels with any inputs.

    Raises:
        NotEnoughClasses: A validation task needs more classes than there are.
        NotEnoughExamples: A class has fewer examples than a task needs.
    """
    s, validation = settings, splits.validation
    if LEARNERS[s.algorithm].episodic and splits.train.n_classes:
        _check_examples(splits.train, "train_shot", s.train_shot or s.n_shot, "train_query", s.train_query or 0)
    if not validation.n_classes:
        return
    if s.n_way > validation.n_classes:
        total, most = sum(part.n_classes for part in splits), validation.n_classes
        smaller = f"give --n-way {most} or more classes" if most > 1 else "give more classes"
        untrained = "" if s.data_root is None else "; or learn them without training by `quickstudy adapt`"
        raise NotEnoughClasses(
            f"n_way = {s.n_way}, but of {total} classes the validation split gets {most}; {smaller}{untrained}"
        )
    _check_examples(validation, "n_shot", s.n_shot, "n_query", s.n_query)


def _check_examples(data: ClassDataset, shot: str, n_shot: int, query: str, n_query: int) -> None:
    scarce, needed = int(data.counts.argmin()), n_shot + n_query
    if data.counts[scarce] < needed:
        flags = " or ".join(f"--{name.replace('_', '-')}" for name, n in ((query, n_query), (shot, n_shot)) if n)
        raise NotEnoughExamples(
            f"class {data.names[scarce]!r} has {data.counts[scarce]} examples, but {shot} = {n_shot} and "
            f"{query} = {n_query} need {needed}; lower {flags}, or drop the class"
        )
