"""The outer loop."""

from quickstudy.training.bar import show
from quickstudy.training.outer import DivergedError, Progress, State, outer_loop
from quickstudy.training.train import train

__all__ = ["DivergedError", "Progress", "State", "outer_loop", "show", "train"]
