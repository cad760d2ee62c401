"""Frozen encoders, and the inputs that are features of one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

from torch import Tensor, nn

from quickstudy.errors import ModelError
from quickstudy.inputs.base import Inputs
from quickstudy.io.tensors import sum_of_values


class FrozenEncoder(ABC):
    """Base class of frozen encoders: a net whose weights stay.

    Args:
        net: Module that makes the features.
        licence: Licence of the weights.

    Attributes:
        embeds: Kind of inputs that it embeds, a name in ``INPUTS``.
        sha256: Checksum of the weights, which does not depend on the format of their file.
        revision: Revision of a model of the Hugging Face Hub; None for others.
    """

    embeds: ClassVar[str]
    revision: str | None = None

    def __init__(self, net: nn.Module, licence: str) -> None:
        self.net, self.licence = net.eval().requires_grad_(False), licence
        self.sha256 = sum_of_values(net.state_dict().values())

    @cached_property
    def width(self) -> int:
        """Number of features."""
        return self.encode([self.example]).shape[1]

    @property
    def n_parameters(self) -> int:
        """Number of the net's weights."""
        return sum(p.numel() for p in self.net.parameters())

    @property
    @abstractmethod
    def example(self) -> Any:
        """One input, with which width and time are measured."""

    @abstractmethod
    def encode(self, values: Sequence[Any]) -> Tensor:
        """Return the features of inputs, (n, width), each divided by its length."""


class Encoded(Inputs):
    """Base class of the inputs that are features of length 1 by a frozen encoder.

    Attributes:
        encoder: Name of the encoder.
        width: Number of its features.
        sha256: Checksum of its weights; None if unknown.
        revision: Revision of a model of the Hugging Face Hub; None for others.
    """

    encoder: str
    width: int
    sha256: str | None
    revision: str | None

    nets: ClassVar[tuple[str, ...]] = ("residual", "mlp", "identity")
    frozen: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the features of one input, (width,)."""
        return (self.width,)

    @classmethod
    @abstractmethod
    def encoded_by(cls, encoder: str = ..., *, download: bool = False) -> Self:
        """Return the inputs for an encoder, the default one if none is given, with the checksum of its weights."""

    @classmethod
    def fitted(cls, items: Sequence[Any]) -> Self:
        """Return the default encoder, with the checksum of its weights."""
        return cls.encoded_by()

    def check_weights(self, sha256: str) -> None:
        """Refuse an encoder with other weights than those that a model was made with.

        Raises:
            ModelError: The checksums differ.
        """
        if self.sha256 not in (None, sha256):
            raise ModelError(
                f"the weights of the encoder {self.encoder!r} on this machine differ from those that this model was "
                f"made with; install the same encoder, or adapt again"
            )
