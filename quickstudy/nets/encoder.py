"""Anybody's module as a net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError


class Encoder(nn.Module):
    """A module that was trained elsewhere, as it predicts: its norms keep their statistics, its dropout stays off.

    So no forward pass changes it, which every learner relies on; torch's own norms would, in training mode.

    Args:
        module: Inputs (n, *input) to embeddings (n, out_features), such as a model of timm without its classifier.
        input_shape: Of one input, without n.
        frozen: Keep its weights. Learners then change what they put on top alone; for many tasks of the same inputs
            ``quickstudy.features`` is faster, which embeds each once.

    Raises:
        SettingError: The module does not make one vector of an input.

    >>> encoder = Encoder(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Dropout()), (3, 2, 2))
    >>> encoder.train()(torch.ones(4, 3, 2, 2)).shape, encoder.out_features, next(encoder.parameters()).requires_grad
    (torch.Size([4, 5]), 5, False)
    """

    def __init__(self, module: nn.Module, input_shape: Sequence[int], *, frozen: bool = True) -> None:
        super().__init__()
        self.module, self.input_shape, self.frozen = module.eval(), tuple(input_shape), frozen
        if frozen:
            module.requires_grad_(False)
        weight = next(module.parameters(), torch.empty(0))
        with torch.no_grad():
            shape = tuple(module(weight.new_zeros(1, *self.input_shape)).shape)
        if len(shape) != 2:
            raise SettingError(f"the module makes {shape} of one input, and an encoder (1, width); pool or flatten it")
        self.out_features = shape[1]

    def forward(self, x: Tensor) -> Tensor:
        """Inputs (n, *input_shape) -> (n, out_features)."""
        embedded: Tensor = self.module(x)
        return embedded

    def train(self, mode: bool = True) -> Encoder:
        """Training mode for what is around it."""
        super().train(mode)
        self.module.eval()
        return self
