"""Source of tasks from your own sentences with labels."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from quickstudy.errors import DataError
from quickstudy.inputs.base import Inputs
from quickstudy.inputs.sentences import MINILM, Sentences, embedded, read_sentences
from quickstudy.tasks.source import ClassSource, Loaded
from quickstudy.tasks.splits import Splits, cut


def sentences(path: Path | None, *, encoder: str = MINILM, seed: int = 0) -> Splits:
    """Return labelled sentences as three disjoint splits of their classes, shuffled by ``seed`` (see ``cut``).

    Args:
        path: CSV, JSONL or Parquet file with the columns ``text`` and ``label``.
        encoder: See ``quickstudy.sentence_encoder``.
        seed: Seed of the shuffle.

    Raises:
        DataError: The file cannot be read.
        NotEnoughClasses: There are fewer than three labels.
    """
    if path is None:
        raise DataError("data = 'text' needs a file of texts and labels; give it as data_root")
    return cut(embedded(*read_sentences(path), encoder), seed=seed)


@dataclass(frozen=True)
class Text(ClassSource):
    """Source of a file of sentences with labels."""

    about: ClassVar[str] = "your own sentences with labels: a CSV, JSONL or Parquet file of text and label"
    kind: ClassVar[type[Inputs]] = Sentences

    data_root: Path | None = None
    seed: int = 0

    def load(self) -> Loaded:
        """Load and embed the sentences, or load their embeddings from the cache."""
        return Loaded(sentences(self.data_root, seed=self.seed), Sentences.fitted(()))
