"""A task on embeddings, and easyfsl's methods on it where that library is installed."""

import importlib.util
import sys
from importlib import import_module
from types import ModuleType

import pytest

from quickstudy.learners import LEARNERS
from quickstudy.nets import Identity
from quickstudy.tasks.task import Task
from quickstudy.testing import noise_tasks

WIDTH = 6


def task(n_query: int = 4) -> Task:
    """A task of 5 classes in which answers are not all right; embeddings are positive, as after a ReLU."""
    tasks = noise_tasks(LEARNERS["prototypical"](Identity(WIDTH)), 1, 2, n_query)
    return Task(*(part._replace(x=part.x.abs()) for part in tasks.at(0)))


def peer(name: str) -> ModuleType:
    """A module of easyfsl's methods alone: the package's own __init__ imports torchvision."""
    if importlib.util.find_spec("easyfsl") is None:
        pytest.skip("easyfsl is not installed")
    spec = importlib.util.find_spec("easyfsl")
    assert spec is not None
    place = spec.submodule_search_locations[0] + "/methods"
    package = sys.modules.setdefault("easyfsl.methods", ModuleType("easyfsl.methods"))
    package.__path__ = [place]
    return import_module(f"easyfsl.methods.{name}")
