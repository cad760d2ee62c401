"""The outer loop."""

from quickstudy.training.bar import show
from quickstudy.training.outer import DivergedError, Progress, outer_loop
from quickstudy.training.train import train

__all__ = ["DivergedError", "Progress", "outer_loop", "show", "train"]
