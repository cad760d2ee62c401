"""Sources: where the tasks of a run come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar, NamedTuple

from quickstudy.inputs.base import Inputs
from quickstudy.tasks.splits import Split, Splits
from quickstudy.tasks.task import TaskSource


class Loaded(NamedTuple):
    """Classes of a source, and the inputs that encoded their examples."""

    splits: Splits
    inputs: Inputs


class Source(ABC):
    """Where tasks come from.

    A run gives each argument of ``__init__`` the setting of the same name (``data_root``, ``seed``, ``image_size``,
    ...); an argument ``download`` says whether missing files may be fetched, and an argument ``inputs`` gets the inputs
    of a run that is evaluated, or None.

    Attributes:
        about: What it is, in a few words.
    """

    about: ClassVar[str]


class ClassSource(Source):
    """A source of classes, from which tasks of a few examples of each are cut.

    Attributes:
        kind: Inputs that encode its examples.
    """

    kind: ClassVar[type[Inputs]]

    @abstractmethod
    def load(self) -> Loaded:
        """Return train, validation and test classes, which never meet, and the inputs that encoded them.

        Raises:
            DataError: The data is not where it should be; the message says where to put it.
            NotEnoughClasses: There are fewer classes than sets.
        """


class FunctionSource(Source):
    """A source of functions to learn from a few of their points.

    Attributes:
        in_features: Width of a point's input.
    """

    in_features: ClassVar[int]

    @abstractmethod
    def tasks(self, n_shot: int, n_query: int, seed: int, split: Split) -> TaskSource:
        """Return tasks of ``n_shot`` known points and ``n_query`` asked ones; other splits have other tasks."""
