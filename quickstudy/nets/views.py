"""Test-time augmentation: an embedding averaged over small changes of the image."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import torch
from torch import Tensor, nn

from quickstudy.inputs.augment import augmented
from quickstudy.inputs.warp import warped

_SEED = 0


class Views(nn.Module):
    """Mean embedding of an image and of slightly changed copies, whose changes are always the same ones.

    Copies of a drawing are warped. Copies of a photograph (three channels) are crops of it with a margin, and every
    second one is mirrored. A trained metric learner is more accurate with it, and slower by the number of views.

    Args:
        net: Maps images (n, channels, height, width) to embeddings.
        n: Number of views; the first is the image itself.

    Source: averaging over crops and mirror images at test time, Krizhevsky et al. 2012, section 4.1; see ``warped`` and
    ``augmented``.

    >>> net = nn.Flatten()
    >>> x = torch.rand(2, 1, 28, 28)
    >>> bool(torch.allclose(Views(net, 1)(x), net(x), atol=1e-5))
    True
    """

    def __init__(self, net: nn.Module, n: int = 16) -> None:
        super().__init__()
        self.net = net
        by = 2 * torch.rand(n, 7, generator=torch.Generator().manual_seed(_SEED)) - 1
        by[0] = 0
        crops = by[:, :6].clone()
        crops[:, 2] = torch.ones(n).index_fill(0, torch.arange(1, n, 2), -1)  # mirrored if negative
        crops[:, 3:] = 0  # colours stay
        self.register_buffer("by", by, persistent=False)
        self.register_buffer("crops", crops, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Embed images, (n, channels, height, width) -> (n, out_features)."""
        # One view at a time: the maps of all views together would not fit into a processor's cache.
        return torch.stack([self.net(view) for view in self.of(x)]).mean(0)

    def of(self, x: Tensor) -> Iterator[Tensor]:
        """Yield the views of images, each (n, channels, height, width)."""
        changed, changes = (augmented, self.crops) if x.shape[1] == 3 else (warped, self.by)
        return (changed(x, by.expand(len(x), -1)) for by in cast(Tensor, changes).to(x))
