"""Source of tasks from your own rows with labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.rows import COMMON, LABEL, Columns
from quickstudy.inputs.tables import Table, labelled_rows
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits, cut_labels


def table(
    path: Path | None, seed: int = 0, rows: Table | None = None, columns: Columns = COMMON
) -> tuple[Splits, Table]:
    """Return a file of rows as three disjoint splits of its labels, and the inputs that encoded them.

    Args:
        path: CSV, TSV, JSONL, Parquet or Excel file; the other columns predict the column ``label``.
        seed: Seed of the shuffle of labels.
        rows: Inputs that encode rows, such as those of a run; fitted to the training rows if None.
        columns: Another name of the column of labels, and the encoding of the file.

    Raises:
        DataError: The file cannot be read, or a column holds neither numbers nor categories.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'table' needs a file of rows with labels; give it as data_root")
    labelled = labelled_rows(path, columns)
    items = [item for item, _ in labelled]
    order = cut_labels([label for _, label in labelled], seed)
    rows = rows or Table.fitted([items[i] for i in order.train.x.tolist()])
    x = rows.encode(items)
    return Splits(*(ClassDataset(x[part.x], part.y, part.names) for part in order)), rows


@dataclass(frozen=True)
class Rows(ClassSource):
    """Source of a file of rows with labels."""

    about: ClassVar[str] = "rows of numbers and categories: a CSV, TSV, JSONL, Parquet or Excel file"
    kind: ClassVar[type[Inputs]] = Table

    data_root: Path | None = None
    seed: int = 0
    inputs: Inputs | None = None
    label_column: str = LABEL
    encoding: str | None = None

    def load(self) -> Loaded:
        """Load the rows, standardised by the training rows or by the inputs of a run that is evaluated."""
        rows = self.inputs if isinstance(self.inputs, Table) else None
        return Loaded(*table(self.data_root, self.seed, rows, self._columns))

    def numbered(self) -> Splits | None:
        """Return the splits with row numbers as inputs."""
        if self.data_root is None:
            return None
        return cut_labels([label for _, label in labelled_rows(self.data_root, self._columns)], self.seed)

    @property
    def _columns(self) -> Columns:
        return Columns(label=self.label_column, encoding=self.encoding)
