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


def peer(name: str, folder: str = "methods") -> ModuleType:
    """A module of easyfsl alone: the packages around it import torchvision."""
    spec = importlib.util.find_spec("easyfsl")
    if spec is None or spec.submodule_search_locations is None:
        pytest.skip("easyfsl is not installed")
    package = sys.modules.setdefault(f"easyfsl.{folder}", ModuleType(f"easyfsl.{folder}"))
    package.__path__ = [f"{spec.submodule_search_locations[0]}/{folder}"]
    return import_module(f"easyfsl.{folder}.{name}")
