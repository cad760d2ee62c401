"""Ranges of settings, as they are written on the command line."""

import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

from quickstudy.errors import SettingError
from quickstudy.runs.space import Choices, space_of


def test_ranges_and_choices():
    space = space_of(["inner-lr=1e-3..1", "inner_steps=1..5", "steps=10..1000", "net=conv4|mlp", "outer_lr=1|2"])
    assert {name: each.distribution() for name, each in space.items()} == {
        "inner_lr": FloatDistribution(1e-3, 1, log=True),
        "inner_steps": IntDistribution(1, 5),
        "steps": IntDistribution(10, 1000, log=True),
        "net": CategoricalDistribution(("conv4", "mlp")),
        "outer_lr": CategoricalDistribution((1, 2)),
    }


def test_dots_are_no_range_of_a_path():
    assert space_of(["init=../a|../b"])["init"] == Choices(("../a", "../b"))


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ([], "nothing to search"),
        (["inner_lr"], "not SETTING="),
        (["inner_rate=1..2"], "unknown setting"),
        (["inner_lr=1..x"], "two numbers"),
        (["inner_lr=1...5"], "two numbers"),
        (["inner_lr=1..0.1"], "not below"),
        (["inner_lr=nan..1"], "not below"),
        (["inner_steps=0.5..2"], "whole number"),
        (["inner_lr=1..2", "inner-lr=1..3"], "twice"),
    ],
)
def test_other_texts_are_refused(texts, words):
    with pytest.raises(SettingError, match=words):
        space_of(texts)
