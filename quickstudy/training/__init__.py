"""The outer loop."""

from quickstudy.training.outer import Progress, outer_loop

__all__ = ["Progress", "outer_loop"]
