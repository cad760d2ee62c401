"""Your own sentences with labels as a source of tasks."""

from __future__ import annotations

from pathlib import Path

from quickstudy.errors import DataError
from quickstudy.inputs.sentences import MINILM, embedded, read_sentences
from quickstudy.tasks.splits import Splits, cut


def sentences(path: Path | None, *, encoder: str = MINILM, seed: int = 0) -> Splits:
    """Return labelled sentences as three sets of classes that never meet, shuffled by ``seed`` (see ``cut``).

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
