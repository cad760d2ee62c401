"""Functions for inputs that are one tensor, or a tuple, list or dictionary of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_iter, tree_leaves, tree_map, tree_unflatten

Tree = Any
"""A tensor, or a tuple, list or dictionary of trees."""

__all__ = ["Tree", "concatenated", "flat", "leaves", "mapped", "rows"]
__all__ += ["tree_flatten", "tree_iter", "tree_leaves", "tree_map", "tree_unflatten"]


def leaves(x: Tree) -> list[Any]:
    """Return the tensors of a tree. Most inputs are a single tensor, which is returned without a search.

    >>> leaves({"a": 1, "b": (2, 3)})
    [1, 2, 3]
    """
    return [x] if isinstance(x, Tensor) else tree_leaves(x)


def mapped(fn: Callable[[Tensor], Tensor], x: Tree) -> Tree:
    """Apply a function to each tensor, and return the tree of the results.

    >>> mapped(lambda t: -t, (torch.ones(1),))
    (tensor([-1.]),)
    """
    return fn(x) if isinstance(x, Tensor) else tree_map(fn, x)


def rows(x: Tree, index: int | slice | list[int] | Tensor) -> Tree:
    """Return the chosen rows of every tensor.

    >>> rows({"ids": torch.tensor([5, 6, 7])}, slice(1, None))
    {'ids': tensor([6, 7])}
    """
    return mapped(lambda t: t[index], x)


def concatenated(*parts: Tree) -> Tree:
    """Concatenate the rows of trees of the same structure.

    >>> concatenated(torch.tensor([1]), torch.tensor([2, 3]))
    tensor([1, 2, 3])
    """
    if isinstance(parts[0], Tensor):
        return torch.cat(parts)
    return tree_map(lambda *tensors: torch.cat(tensors), *parts)


def flat(x: Tree) -> Tree:
    """Merge the first two axes of every tensor, those of tasks and examples.

    >>> flat(torch.zeros(2, 3, 4)).shape
    torch.Size([6, 4])
    """
    return mapped(lambda t: t.flatten(0, 1), x)
