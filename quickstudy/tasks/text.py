"""Source of tasks from your own sentences with labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.rows import COMMON, LABEL, TEXT, Columns
from quickstudy.inputs.sentences import Sentences
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits, cut, cut_labels


def sentences(
    path: Path | None, *, inputs: Sentences | None = None, seed: int = 0, columns: Columns = COMMON
) -> Splits:
    """Return labelled sentences as three disjoint splits of their classes, shuffled by ``seed`` (see ``cut``).

    Args:
        path: CSV, TSV, JSONL, Parquet or Excel file with the columns ``text`` and ``label``.
        inputs: Encoder of the sentences; the default one if None.
        seed: Seed of the shuffle.
        columns: Other names of the columns, and the encoding of the file.

    Raises:
        DataError: The file cannot be read.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'text' needs a file of texts and labels; give it as data_root")
    inputs = inputs or Sentences.encoded_by()
    return cut(embedded(inputs, inputs.labelled(path, columns)), seed=seed)


@dataclass(frozen=True)
class Text(ClassSource):
    """Source of a file of sentences with labels."""

    about: ClassVar[str] = "your own sentences with labels: a CSV, TSV, JSONL, Parquet or Excel file"
    kind: ClassVar[type[Inputs]] = Sentences

    data_root: Path | None = None
    seed: int = 0
    text_column: str = TEXT
    label_column: str = LABEL
    encoding: str | None = None
    inputs: Inputs | None = None

    def load(self) -> Loaded:
        """Load and embed the sentences, or load their embeddings from the cache."""
        inputs = self.inputs if isinstance(self.inputs, Sentences) else Sentences.encoded_by()
        return Loaded(sentences(self.data_root, inputs=inputs, seed=self.seed, columns=self._columns), inputs)

    def numbered(self) -> Splits | None:
        """Return the splits with row numbers as inputs."""
        if self.data_root is None:
            return None
        return cut_labels([label for _, label in Sentences.labelled(self.data_root, self._columns)], self.seed)

    @property
    def _columns(self) -> Columns:
        return Columns(self.text_column, self.label_column, self.encoding)
