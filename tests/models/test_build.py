"""Learners and nets as plain data: their names and arguments, and the same built again."""

import json

import pytest
import torch
from torch import nn

from quickstudy.errors import ModelError, SettingError
from quickstudy.learners import LEARNERS, Prototypical
from quickstudy.models.build import blank, build, construct, describe
from quickstudy.nets import MLP, NETS
from tests.mirror import holds
from tests.models.made import MADE


def test_every_algorithm_and_net_is_saved_above():
    made = [make() for make in MADE.values()]
    learners, nets = {type(one) for one in made}, {type(one.net) for one in made if hasattr(one, "net")}
    assert all(cls in learners or holds(cls, "check_learner") for cls in LEARNERS.values())
    assert all(cls in nets or holds(cls, "describe") for cls in NETS.values())


@pytest.mark.parametrize("name", MADE)
def test_a_description_is_plain_data_that_names_every_argument(name):
    config = describe(MADE[name]())
    assert json.loads(json.dumps(config)) == config
    assert describe(build(config)) == config


def test_a_class_that_is_not_registered_cannot_be_described():
    class Mine(Prototypical):
        pass

    with pytest.raises(ModelError, match=r"Mine is not registered; add it by quickstudy\.LEARNERS\.register"):
        describe(Mine(MLP(2, (4,))))


def test_a_class_that_does_not_keep_its_arguments_is_refused():
    class Forgetful(Prototypical):
        def __init__(self, net, *, temperature=1.0):
            super().__init__(net)

    LEARNERS.register("forgetful", Forgetful)
    with pytest.raises(SettingError, match="Forgetful has no attribute 'temperature', an argument of its __init__"):
        describe(Forgetful(MLP(2, (4,))))


def test_a_registered_net_is_built_again():
    class Mine(MLP):
        pass

    NETS.register("mine", Mine)
    assert isinstance(build(describe(Prototypical(Mine(2, (4,))))).net, Mine)


def test_a_blank_learner_takes_no_memory():
    config = describe(MADE["prototypical"]())
    config["net"]["width"] = 10_000
    assert all(tensor.is_meta for tensor in blank(config).state_dict().values())


@pytest.mark.parametrize(
    "hidden", [[10**9], [8.5], ["8"], [True], 8, "8", [-(10**9)], [1] * 101, [float("nan")], [None]], ids=repr
)
def test_an_argument_of_another_type_or_out_of_range_is_refused(hidden):
    with pytest.raises(SettingError, match=r"^hidden="):
        construct(MLP, {"hidden": hidden})


class Reading(nn.Module):
    """A net whose ``__init__`` reads a value."""

    def __init__(self, in_features: int = 4):
        super().__init__()
        self.rate = torch.linspace(0, 1, 3)[1].item()
        self.layer = nn.Linear(in_features, 2000)
        self.in_features, self.out_features = in_features, 2000


def test_a_blank_learner_takes_little_memory_where_the_net_reads_values():
    NETS.register("reading", Reading)
    learner = blank({"name": "prototypical", "net": {"name": "reading", "in_features": 1_000_000}})
    assert learner.net.rate == 0.5
    assert learner.net.layer.weight.is_meta
    assert learner.net.layer.weight.shape == (2000, 1_000_000)
