"""Source of tasks from your own sentences with labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.encoder import MINILM
from quickstudy.inputs.rows import COMMON, LABEL, TEXT, Columns
from quickstudy.inputs.sentences import Sentences, embedded, read_sentences
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits, cut, cut_labels


def sentences(path: Path | None, *, encoder: str = MINILM, seed: int = 0, columns: Columns = COMMON) -> Splits:
    """Return labelled sentences as three disjoint splits of their classes, shuffled by ``seed`` (see ``cut``).

    Args:
        path: CSV, TSV, JSONL, Parquet or Excel file with the columns ``text`` and ``label``.
        encoder: See ``quickstudy.sentence_encoder``.
        seed: Seed of the shuffle.
        columns: Other names of the columns, and the encoding of the file.

    Raises:
        DataError: The file cannot be read.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'text' needs a file of texts and labels; give it as data_root")
    return cut(embedded(*read_sentences(path, columns), encoder), seed=seed)


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

    def load(self) -> Loaded:
        """Load and embed the sentences, or load their embeddings from the cache."""
        return Loaded(sentences(self.data_root, seed=self.seed, columns=self._columns), Sentences.fitted(()))

    def numbered(self) -> Splits | None:
        """Return the splits with row numbers as inputs."""
        return (
            None if self.data_root is None else cut_labels(read_sentences(self.data_root, self._columns)[1], self.seed)
        )

    @property
    def _columns(self) -> Columns:
        return Columns(self.text_column, self.label_column, self.encoding)
