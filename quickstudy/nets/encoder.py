"""Anybody's module as a net."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.tasks.tree import Tree


class Encoder(nn.Module):
    """A module that was trained elsewhere, as it predicts: its norms keep their statistics, its dropout stays off.

    So no forward pass changes it, which every learner relies on; torch's own norms would, in training mode.

    Args:
        module: Inputs (n, *input) to embeddings (n, out_features), such as a model of timm without its classifier. It
            is brought to evaluation mode, and if frozen its weights no longer ask for gradients.
        input_shape: Of one input, without n; None where an input is not one tensor of real numbers (token ids, a
            dictionary), and ``module.out_features`` says how wide an embedding is.
        frozen: Keep its weights. Learners then change what they put on top alone; for many tasks of the same inputs
            ``quickstudy.inputs.features`` is faster, which embeds each once.

    Raises:
        SettingError: The module does not make one vector of an input, or does not say how wide it is.

    >>> encoder = Encoder(nn.Sequential(nn.Flatten(), nn.Linear(12, 5), nn.Dropout()), (3, 2, 2))
    >>> encoder.train()(torch.ones(4, 3, 2, 2)).shape, encoder.out_features, next(encoder.parameters()).requires_grad
    (torch.Size([4, 5]), 5, False)
    """

    def __init__(self, module: nn.Module, input_shape: Sequence[int] | None = None, *, frozen: bool = True) -> None:
        super().__init__()
        self.module, self.frozen = module.eval(), frozen
        self.input_shape = None if input_shape is None else tuple(input_shape)
        if frozen:
            module.requires_grad_(False)
        if self.input_shape is None:
            width = getattr(module, "out_features", None)
            if not isinstance(width, int):
                raise SettingError(f"{type(module).__name__} has no out_features; set it, or give input_shape")
            self.out_features = width
            return
        weight = next(module.parameters(), torch.empty(0))
        with torch.no_grad():
            shape = tuple(module(weight.new_zeros(1, *self.input_shape)).shape)
        if len(shape) != 2:
            raise SettingError(f"the module makes {shape} of one input, and an encoder (1, width); pool or flatten it")
        self.out_features = shape[1]

    def forward(self, x: Tree) -> Tensor:
        """Inputs (n, *input_shape) -> (n, out_features)."""
        embedded: Tensor = self.module(x)
        return embedded

    def train(self, mode: bool = True) -> Encoder:
        """Training mode for what is around it."""
        super().train(mode)
        self.module.eval()
        return self
