"""A frozen encoder of sentences: a net, and how a text that is too long for it is embedded."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.inputs.frozen import FrozenEncoder

MINILM = "all-MiniLM-L6-v2"
"""The default encoder: 384 dimensions, Wang et al. 2020, arXiv:2002.10957."""


class TextEncoder(FrozenEncoder):
    """A frozen net that embeds sentences.

    A text that is too long for the net is halved at blanks until its parts fit. Its embedding is the mean of theirs,
    weighted by their lengths, at length 1. A class of your own is registered by ``ENCODERS.register("mine", Mine)``;
    it takes no arguments.

    Args:
        net: Module from a list of n texts to features (n, width).
        length: Function that returns the length of each text for the net, such as its number of word pieces; its
            number of characters if None.
        most: Largest length that the net reads.
        licence: Licence of the weights.

    >>> class Vowels(nn.Module):
    ...     def forward(self, texts):
    ...         return torch.tensor([[float(text.count(vowel)) for vowel in "aeiou"] for text in texts])
    >>> TextEncoder(Vowels())(["a banana", "red"])
    tensor([[1., 0., 0., 0., 0.],
            [0., 1., 0., 0., 0.]])
    """

    embeds: ClassVar[str] = "sentences"

    def __init__(
        self,
        net: nn.Module,
        *,
        length: Callable[[Sequence[str]], Sequence[int]] | None = None,
        most: float = math.inf,
        licence: str = "unknown",
    ) -> None:
        super().__init__(net, licence)
        self.length, self.most = length or _characters, most

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return the embeddings of texts, (n, width), each of length 1."""
        return self.encode(texts)

    @property
    def example(self) -> str:
        """A short sentence."""
        return "where is my package, it should have come on Monday"

    def encode(self, values: Sequence[str]) -> Tensor:
        """Return the embeddings of texts, (n, width), each of length 1.

        Raises:
            SettingError: The net does not return one vector per text.
        """
        lengths = self.length(values) if values else []
        long = {i: self._parts(values[i]) for i, n in enumerate(lengths) if n > self.most}
        if not long:
            return self._embed(values)
        short = [i for i in range(len(values)) if i not in long]
        rows = {i: _mean(self._embed([text for text, _ in parts]), parts) for i, parts in long.items()}
        if short:
            rows |= dict(zip(short, self._embed([values[i] for i in short]), strict=True))
        return torch.stack([rows[i] for i in range(len(values))])

    def features(self, texts: list[str]) -> Tensor:
        """Return the net's features of texts that it reads whole."""
        z: Tensor = self.net(texts)
        return z

    def _embed(self, texts: Sequence[str]) -> Tensor:
        with torch.inference_mode():
            z: Any = self.features(list(texts))
        if not isinstance(z, Tensor) or z.ndim != 2 or len(z) != len(texts):
            shape = tuple(z.shape) if isinstance(z, Tensor) else type(z).__name__
            raise SettingError(
                f"the encoder returns {shape} for {len(texts)} texts, but a tensor (texts, width) is needed; pool its "
                f"output"
            )
        return F.normalize(z.float().cpu()).clone()

    def _parts(self, text: str) -> list[tuple[str, int]]:
        """Return parts of a text that the net reads whole, halved at a blank near the middle, and their lengths."""
        n = self.length([text])[0]
        if n <= self.most or len(text) < 2:
            return [(text, n)] if n else []
        middle = len(text) // 2
        blank = text.rfind(" ", 0, middle)
        cut = blank if blank > middle / 2 else middle
        return self._parts(text[:cut]) + self._parts(text[cut:])


def _mean(embeddings: Tensor, parts: Sequence[tuple[str, int]]) -> Tensor:
    weights = torch.tensor([float(n) for _, n in parts])
    return F.normalize(weights @ embeddings, dim=0)


def _characters(texts: Sequence[str]) -> list[int]:
    return [len(text) for text in texts]
