"""What is meta-learned: nets, and batch normalisation that says whose statistics it uses."""

from quickstudy.nets.conv4 import Conv4
from quickstudy.nets.mlp import MLP
from quickstudy.nets.norm import BatchNorm, apply, record_population
from quickstudy.nets.shape import input_shape

NETS = {"conv4": Conv4, "mlp": MLP}

__all__ = ["MLP", "NETS", "BatchNorm", "Conv4", "apply", "input_shape", "record_population"]
