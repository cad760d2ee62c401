"""Checks for your own learner or net."""

from quickstudy.testing.environment import check_environment
from quickstudy.testing.inputs import check_inputs
from quickstudy.testing.learner import LAWS, TOLERANCE, check_learner, noise_tasks
from quickstudy.testing.net import check_net
from quickstudy.testing.source import check_source

__all__ = [
    "LAWS", "TOLERANCE", "check_environment", "check_inputs", "check_learner", "check_net", "check_source",
    "noise_tasks",
]  # fmt: skip
