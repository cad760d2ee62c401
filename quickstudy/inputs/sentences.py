"""Sentences, embedded by a frozen encoder."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.cells import not_unicode
from quickstudy.inputs.encoders import full_name, sentence_encoder
from quickstudy.inputs.frozen import Encoded
from quickstudy.inputs.rows import (
    COMMON,
    SUFFIXES,
    TEXT,
    Columns,
    RowInputs,
    all_rows,
    check_spelling,
    has_column,
    key_of,
    values_of,
)
from quickstudy.inputs.text_encoder import MINILM

_MAX_CHARACTERS = 10_000
_OTHER_SUFFIXES = (".txt", ".md", ".json", ".xls", ".ods", ".doc", ".docx", ".pdf", ".png", ".jpg", ".jpeg")
"""Ends of names of files that hold no rows; one word that ends so is not a sentence."""
_MARKED = "--text (in Python, qs.Item(text, text))"


@dataclass(frozen=True)
class Sentences(Encoded, RowInputs):
    """Sentences as embeddings of length 1 by a frozen encoder.

    Attributes:
        encoder: Name of the encoder (see ``sentence_encoder``).
        width: Number of its features.
        sha256: Checksum of its weights; None if unknown, which the default encoder alone may be.
        revision: Revision of a model of the Hub; None for others.

    Raises:
        SettingError: The encoder is not the default one, and its weights are not known.

    >>> Sentences().shape
    (384,)
    """

    encoder: str = MINILM
    width: int = 384
    sha256: str | None = field(default=None, compare=False)
    revision: str | None = field(default=None, compare=False)

    noun: ClassVar[str] = "text"
    part: ClassVar[str] = "word"
    part_plural: ClassVar[str] = "words"
    model: ClassVar[str | None] = "minilm-means"

    def __post_init__(self) -> None:
        if self.encoder != MINILM and self.sha256 is None:
            raise SettingError(
                f"the encoder {self.encoder[:80]!r} needs the checksum of its weights; Sentences.encoded_by(name) "
                f"measures it"
            )

    @classmethod
    def encoded_by(cls, encoder: str = MINILM, *, download: bool = False) -> Sentences:
        """Return sentences for an encoder, with the checksum of its weights.

        Raises:
            SettingError: The encoder is not there.
        """
        net = sentence_encoder(encoder, download=download)
        return cls(full_name(encoder), net.width, net.sha256, net.revision)

    @property
    def words(self) -> str:
        """Words for these inputs in messages."""
        return "sentences" if self.encoder == MINILM else f"sentences by {self.encoder}"

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value is a string."""
        return isinstance(value, str)

    @property
    def recipe(self) -> str:
        """Description of how one embedding is made."""
        which = f"sentence-transformers' {MINILM}"
        if self.encoder != MINILM:
            which = f"{self.encoder}, SHA-256 of its weights {self.sha256}"
        return (
            f"Embed the sentence by {which}, divided by its length. A text of more word pieces than the encoder reads "
            f"is halved at blanks until its parts fit; the mean of their embeddings, weighted by word pieces, is "
            f"divided by its length."
        )

    @classmethod
    def recognises(cls, source: Path, columns: Columns = COMMON) -> bool:
        """Return whether the source is a file of rows with a column of sentences; the name of one says so too."""
        if columns.text != TEXT:
            return source.suffix.lower() in SUFFIXES
        return has_column(source, TEXT, columns)

    def open(self, source: str | Path | bytes, columns: Columns = COMMON) -> Iterator[Item]:
        """Yield a sentence, or the sentences of a file.

        Raises:
            DataError: The source is a folder, or a file that cannot be read.
        """
        if isinstance(source, str) and os.path.isdir(source):
            raise DataError(f"{source!r} is a folder; give its files, or {_MARKED} if it is a sentence")
        if isinstance(source, bytes):
            yield Item(source.decode("utf-8", "replace"), source)
        elif isinstance(source, Path) or _names_file(source):
            for place, text, _ in _rows(Path(source), columns, with_labels=False):
                yield Item(text if isinstance(text, str) else place, text)
        else:
            yield Item(source, source)

    @classmethod
    def labelled(cls, source: Path, columns: Columns = COMMON) -> list[tuple[Item, str]]:
        """Return the sentences of a file with columns of texts and labels."""
        return [(Item(text, text), label) for text, label in zip(*read_sentences(source, columns), strict=True)]

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return embeddings, (n, d).

        Raises:
            DataError: An item is not a sentence of 1 to 10,000 characters.
            ModelError: The weights of the encoder on this machine differ from those that the model was made with.
        """
        sentences = [_sentence(item) for item in items]
        encoder = sentence_encoder(self.encoder)
        if self.sha256 is not None:
            self.check_weights(encoder.sha256)
        return encoder(sentences) if sentences else torch.empty(0, *self.shape)

    def item_of(self, thing: Any, number: int) -> Item:
        """Return a string as one sentence, also if it is the name of a file; its number names an empty one."""
        if isinstance(thing, Item):
            return thing
        return Item(thing if isinstance(thing, str) and thing.strip() else f"{self.noun} {number}", thing)

    def keep(self, item: Item) -> bytes:
        """Return the sentence."""
        return _sentence(item).encode()

    def parts(self, item: Item) -> Iterator[tuple[str, Item]]:
        """Yield each word, split at white space, and the sentence without it; nothing for a single word."""
        words = _sentence(item).split()
        for i, word in enumerate(words):
            rest = " ".join(words[:i] + words[i + 1 :])
            if rest:
                yield word, Item(item.name, rest)


def read_sentences(path: Path, columns: Columns = COMMON) -> tuple[list[str], list[str]]:
    """Return the sentences and labels of a file with columns of texts and labels: CSV, JSONL, Parquet or Excel.

    Args:
        path: File with one sentence and one label per row.
        columns: Other names of the columns, and the encoding of the file.

    Raises:
        DataError: The file cannot be read, a column is missing, or a row is empty or too long.
        SettingError: A package that reads the file is not installed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "all.csv").write_text("Text;Label\\nhello;greeting\\nbye;parting\\n")
    ...     read_sentences(Path(folder, "all.csv"))
    (['hello', 'bye'], ['greeting', 'parting'])
    """
    texts, labels = [], []
    for _, text, label in _rows(path, columns, with_labels=True):
        if isinstance(text, DataError):
            raise text
        texts.append(text)
        labels.append(label)
    check_spelling(labels)
    return texts, labels


def sentences_of(inputs: Inputs, texts: Sequence[str]) -> list[Item]:
    """Return texts as items, also those that are the name of a file.

    Raises:
        SettingError: The inputs are not sentences.

    >>> sentences_of(Sentences(), ["few.csv"])
    [Item(name='few.csv', value='few.csv')]
    """
    if not isinstance(inputs, Sentences):
        raise SettingError(f"--text is for classifiers of sentences, but this one takes {inputs.noun}s; leave it out")
    return [inputs.item_of(text, i) for i, text in enumerate(texts, 1)]


def _names_file(source: str) -> bool:
    """Return whether a string is the name of a file, not a sentence.

    It ends like a file of rows or of another kind and is one word, or it is a file and looks like a name.
    """
    path = Path(source)
    like_rows = path.suffix.lower() in SUFFIXES
    if (like_rows or path.suffix.lower() in _OTHER_SUFFIXES) and len(source.split()) == 1:
        return True
    return os.path.isfile(source) and (like_rows or bool(path.suffix) or "/" in source or os.sep in source)


def _rows(path: Path, columns: Columns, *, with_labels: bool) -> Iterator[tuple[str, str | DataError, str]]:
    """Yield place, text and label of each row, or why it cannot be read; without labels, the label is empty."""
    number = 0
    for number, row in enumerate(all_rows(path, columns), 1):
        place = f"{path} row {number}"
        if isinstance(row, DataError):
            yield place, row, ""
            continue
        try:
            text, *label = values_of(place, row, [columns.text, *[columns.label] * with_labels])
            if len(text) > _MAX_CHARACTERS:
                raise DataError(f"{place} has a text of {len(text)} characters; give 1 to {_MAX_CHARACTERS}")
            yield place, text, "".join(label)
        except DataError as error:
            if number == 1 and path.suffix.lower() != ".jsonl" and key_of(row, columns.text) is None:
                raise  # no row has the column
            yield place, error, ""
    if not number:
        raise DataError(f"{path} holds no rows; give texts{' with labels' if with_labels else ''}")


def _sentence(item: Item) -> str:
    if isinstance(item.value, DataError):
        raise item.value
    value = item.value.decode("utf-8", "replace") if isinstance(item.value, bytes) else item.value
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_CHARACTERS:
        what = f"a text of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"
        raise DataError(f"{item.name[:80]!r} is {what}; give a sentence of 1 to {_MAX_CHARACTERS} characters")
    if fault := not_unicode(value):
        raise DataError(f"{item.name[:80]!r} {fault}")
    return value
