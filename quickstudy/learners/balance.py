"""Weights by which classes of unequal numbers of examples weigh the same."""

from __future__ import annotations

import torch
from torch import Tensor


def balance(counts: Tensor) -> Tensor:
    """Return the weight of an example of each class, by which all classes weigh as much as the harmonic mean of counts.

    It is exactly 1 where counts are equal. A class without examples does not count.

    Args:
        counts: Number of examples of each class, (k,).

    >>> balance(torch.tensor([1.0, 3.0, 0.0]))[:2]
    tensor([1.5000, 0.5000])
    """
    present = counts > 0
    safe = torch.where(present, counts, 1)
    return present.sum() / (safe[:, None] / safe * present).sum(1).clamp(min=1e-12)
