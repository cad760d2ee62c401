"""Copies of modules."""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import Tensor, nn

M = TypeVar("M", bound=nn.Module)


def copied(module: M) -> M:
    """Return a deep copy of a module.

    Torch copies no tensor that was computed from weights. The older ``nn.utils.weight_norm`` and ``nn.utils.prune``
    keep such tensors as attributes, and compute them again in each forward pass.

    >>> net = nn.utils.parametrizations.weight_norm(nn.Linear(2, 2))
    >>> bool((copied(net).weight == net.weight).all())
    True
    """
    attributes = (each for part in module.modules() for each in vars(part).values())
    computed = [each for each in attributes if isinstance(each, Tensor) and not each.is_leaf]
    return copy.deepcopy(module, {id(each): each.detach().clone() for each in computed})
