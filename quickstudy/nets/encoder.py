"""Any torch module as a net, such as a pretrained model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.tasks.tree import Tree


class Encoder(nn.Module):
    """A module that was trained elsewhere, always in evaluation mode: fixed statistics in its norms, no dropout.

    No forward pass changes it, as every learner requires. In training mode, torch's own norms would change.

    Args:
        module: Maps inputs (n, *input) to embeddings (n, out_features), such as a model of timm without its classifier.
            It is set to evaluation mode; if frozen, its weights no longer require gradients.
        input_shape: Shape of one input, without n. None if an input is not one tensor of real numbers (token ids, a
            dictionary); then ``module.out_features`` must be the width of an embedding.
        frozen: Keep its weights; learners then change only what they add on top. For many tasks of the same inputs,
            ``quickstudy.inputs.features`` is faster, since it embeds each input once.

    Raises:
        SettingError: The module does not return one vector per input, or its output width is unknown.

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
                raise SettingError(
                    f"{type(module).__name__} has no out_features; set it to the width of its output, or give "
                    f"input_shape"
                )
            self.out_features = width
            return
        weight = next(module.parameters(), torch.empty(0))
        with torch.no_grad():
            shape = tuple(module(weight.new_zeros(1, *self.input_shape)).shape)
        if len(shape) != 2:
            raise SettingError(
                f"the module returns shape {shape} for one input, but an encoder returns (1, width); pool or flatten "
                f"its output"
                f"its output"
            )
        self.out_features = shape[1]

    def forward(self, x: Tree) -> Tensor:
        """Embed inputs, (n, *input_shape) -> (n, out_features)."""
        embedded: Tensor = self.module(x)
        return embedded

    def train(self, mode: bool = True) -> Encoder:
        """Set the training mode of this module; the wrapped module stays in evaluation mode."""
        super().train(mode)
        self.module.eval()
        return self
