"""Base classes of the sources of tasks."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from quickstudy.inputs.base import Inputs
from quickstudy.tasks.splits import Split, Splits
from quickstudy.tasks.task import TaskSource


class Loaded(NamedTuple):
    """Splits of a source's classes, and the inputs that encoded their examples."""

    splits: Splits
    inputs: Inputs


class Source(ABC):
    """Base class of a source of tasks.

    Each argument of ``__init__`` is set to the setting of the same name (``data_root``, ``seed``, ``image_size``,
    ...). An argument ``download`` says whether missing files may be downloaded. An argument ``inputs`` is set to the
    inputs of a run that is evaluated, or else to None.

    Attributes:
        about: Short description.
    """

    about: ClassVar[str]


class ClassSource(Source):
    """Source of classes, from which tasks with a few examples per class are sampled.

    Attributes:
        kind: Inputs that encode its examples.
        colour: Whether its examples are images in colour.
    """

    kind: ClassVar[type[Inputs]]
    colour: ClassVar[bool] = False

    @abstractmethod
    def load(self) -> Loaded:
        """Load train, validation and test classes, which are disjoint, and the inputs that encoded them.

        Raises:
            DataError: The data is missing; the message says where to put it.
            NotEnoughClasses: There are fewer classes than splits.
        """

    def numbered(self) -> Splits | None:
        """Return the splits with row numbers as inputs, before anything is encoded; None if only ``load`` knows them.

        Raises:
            DataError: The data is missing.
            NotEnoughClasses: There are fewer classes than splits.
        """
        return None


class FunctionSource(Source):
    """Source of functions to learn from a few of their points.

    Attributes:
        in_features: Number of features of a point's input.
    """

    in_features: ClassVar[int]

    @abstractmethod
    def tasks(self, n_shot: int, n_query: int, seed: int, split: Split) -> TaskSource:
        """Return tasks of ``n_shot`` support points and ``n_query`` query points; splits have different tasks."""
