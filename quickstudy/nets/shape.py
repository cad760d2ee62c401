"""The shape of what a net or learner takes as input."""

from __future__ import annotations

from typing import Any


def input_shape(module: Any) -> tuple[int, ...] | None:
    """Return the shape of one input of a net or learner, or None if it is unknown.

    The shape is read from the attributes ``input_shape``, ``channels`` and ``size``, or ``in_features``. A module that
    has a ``net`` instead, as most learners do, takes what its net takes.

    >>> from quickstudy.nets import MLP, Conv4
    >>> input_shape(Conv4(3, 84)), input_shape(MLP(2))
    ((3, 84, 84), (2,))
    """
    if hasattr(module, "input_shape"):
        return None if module.input_shape is None else tuple(module.input_shape)
    if hasattr(module, "channels") and hasattr(module, "size"):
        return module.channels, module.size, module.size
    if hasattr(module, "in_features"):
        return (module.in_features,)
    return input_shape(module.net) if hasattr(module, "net") else None
