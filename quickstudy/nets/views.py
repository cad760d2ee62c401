"""Test-time augmentation: an embedding averaged over small distortions of the image."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from quickstudy.inputs.warp import warped

_SEED = 0


class Views(nn.Module):
    """Mean embedding of an image and of slightly warped copies, which are always the same ones.

    A trained metric learner is more accurate with it, and slower by the number of views.

    Args:
        net: Maps images (n, channels, height, width) to embeddings.
        n: Number of views; the first is the image itself.

    Source: averaging over distortions at test time, Krizhevsky et al. 2012, section 4.1; see ``warped``.

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
        self.register_buffer("by", by, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Embed images, (n, channels, height, width) -> (n, out_features)."""
        # One view at a time: the maps of all views together would not fit into a processor's cache.
        views = [self.net(warped(x, by.expand(len(x), -1))) for by in cast(Tensor, self.by).to(x)]
        return torch.stack(views).mean(0)
