"""Learners for tests that run all of them: one of each kind is tested in every run, the others are slow tests."""

from collections.abc import Iterable

import pytest

from quickstudy import LEARNERS

USUAL = ("maml", "reptile", "prototypical", "matching", "r2d2", "simple-shot", "in-context", "tim")
"""One learner of each kind: by gradients, by a metric, with a solver, without episodes, by a transformer, together."""


def each_learner(names: Iterable[str] = LEARNERS) -> list:
    return [pytest.param(name, marks=[pytest.mark.slow] * (name not in USUAL)) for name in names]
