"""Your own rows with labels as a source of tasks."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.tables import Table, labelled_rows
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits, cut


def table(path: Path | None, seed: int = 0, rows: Table | None = None) -> tuple[Splits, Table]:
    """Return a file of rows as three sets of labels that never meet, and how they are encoded.

    Args:
        path: CSV, JSONL or Parquet; the column ``label`` is what the other columns predict.
        seed: Seed of the shuffle of labels.
        rows: How rows are encoded, such as those of a run; fitted to the training rows if None.

    Raises:
        DataError: The file cannot be read, or what a column holds is neither numbers nor categories.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'table' needs a file of rows with labels; give it as data_root")
    labelled = labelled_rows(path)
    items = [item for item, _ in labelled]
    order = cut(ClassDataset.from_labels(torch.arange(len(items)), [label for _, label in labelled]), seed=seed)
    rows = rows or Table.fitted([items[i] for i in order.train.x.tolist()])
    x = rows.encode(items)
    return Splits(*(ClassDataset(x[part.x], part.y, part.names) for part in order)), rows


@dataclass(frozen=True)
class Rows(ClassSource):
    """A file of rows with labels."""

    about: ClassVar[str] = "rows of numbers and categories: a CSV, JSONL or Parquet file with a column label"
    kind: ClassVar[type[Inputs]] = Table

    data_root: Path | None = None
    seed: int = 0
    inputs: Inputs | None = None

    def load(self) -> Loaded:
        """Read the rows; they are standardised as the training rows are, or as the run was that is evaluated."""
        return Loaded(*table(self.data_root, self.seed, self.inputs if isinstance(self.inputs, Table) else None))
