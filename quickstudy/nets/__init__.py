"""What is meta-learned: nets, and batch normalisation that says whose statistics it uses."""

from quickstudy.nets.call import apply, has_foreign, is_ours, places, usable, weight_type
from quickstudy.nets.conv4 import Conv4
from quickstudy.nets.conv4_maps import Conv4Maps
from quickstudy.nets.encoder import Encoder
from quickstudy.nets.identity import Identity
from quickstudy.nets.mlp import MLP
from quickstudy.nets.norm import BatchNorm, convert_norms, record_population
from quickstudy.nets.residual import Residual
from quickstudy.nets.resnet6 import ResNet6
from quickstudy.nets.resnet12 import ResNet12
from quickstudy.nets.shape import input_shape
from quickstudy.nets.statistics import normalised_by
from quickstudy.nets.views import Views

NETS = {
    "conv4": Conv4,
    "conv4-maps": Conv4Maps,
    "resnet6": ResNet6,
    "resnet12": ResNet12,
    "mlp": MLP,
    "identity": Identity,
    "residual": Residual,
}

__all__ = [
    "MLP",
    "NETS",
    "BatchNorm",
    "Conv4",
    "Conv4Maps",
    "Encoder",
    "Identity",
    "ResNet6",
    "ResNet12",
    "Residual",
    "Views",
    "apply",
    "convert_norms",
    "has_foreign",
    "input_shape",
    "is_ours",
    "normalised_by",
    "places",
    "record_population",
    "usable",
    "weight_type",
]
