"""Multilayer perceptron."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Literal

from torch import Tensor, nn

from quickstudy.errors import SettingError


class MLP(nn.Module):
    """Hidden layers for vectors; a learner adds its own head on top.

    Args:
        in_features: Width of the input.
        hidden: Widths of the hidden layers.
        activation: "relu" (Finn 2017's sinusoid net, 1-40-40-1) or "tanh" (Nichol 2018's, 1-64-64-1).

    Raises:
        SettingError: ``hidden`` is empty.

    Vectors (n, in_features) become (n, out_features), the last hidden width.

    >>> import torch
    >>> MLP(1, (40, 40))(torch.zeros(3, 1)).shape
    torch.Size([3, 40])
    """

    def __init__(
        self, in_features: int = 1, hidden: Sequence[int] = (40, 40), activation: Literal["relu", "tanh"] = "relu"
    ) -> None:
        super().__init__()
        if not hidden:
            raise SettingError(f"hidden={hidden!r} has no layer; give at least one width")
        self.in_features, self.hidden, self.activation = in_features, tuple(hidden), activation
        self.out_features = self.hidden[-1]
        widths = (in_features, *self.hidden)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(widths))

    def forward(self, x: Tensor) -> Tensor:
        """Embed vectors, (n, in_features) -> (n, out_features)."""
        for layer in self.layers:
            x = layer(x).relu() if self.activation == "relu" else layer(x).tanh()
        return x
