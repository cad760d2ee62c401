"""What a net takes."""

from __future__ import annotations

from typing import Any


def input_shape(net: Any) -> tuple[int, ...] | None:
    """Shape of one input of a net, by its ``channels`` and ``size`` or its ``in_features``; None if it has neither.

    >>> from quickstudy.nets import MLP, Conv4
    >>> input_shape(Conv4(3, 84)), input_shape(MLP(2))
    ((3, 84, 84), (2,))
    """
    if hasattr(net, "channels") and hasattr(net, "size"):
        return net.channels, net.size, net.size
    return (net.in_features,) if hasattr(net, "in_features") else None
