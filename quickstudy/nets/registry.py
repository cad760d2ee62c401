"""Nets by name: those of this package, and those that other packages add."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quickstudy.registry import Registry

if TYPE_CHECKING:
    from torch import nn

_HOME = "quickstudy.nets."

NETS: Registry[type[nn.Module]] = Registry(
    "net",
    {
        "conv4": _HOME + "conv4:Conv4",
        "conv4-maps": _HOME + "conv4_maps:Conv4Maps",
        "resnet6": _HOME + "resnet6:ResNet6",
        "resnet12": _HOME + "resnet12:ResNet12",
        "mlp": _HOME + "mlp:MLP",
        "identity": _HOME + "identity:Identity",
        "low-rank": _HOME + "low_rank:LowRank",
        "residual": _HOME + "residual:Residual",
    },
    base="torch.nn:Module",
    group="quickstudy.nets",
)
"""Names that settings and model folders may use. ``NETS.register("mine", Mine)`` adds one, as does an entry point of
the group "quickstudy.nets"."""
