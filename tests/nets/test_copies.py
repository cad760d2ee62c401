"""A module is copied with what it computed from its weights, and the copy is independent."""

import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from quickstudy.learners import MAML, Prototypical
from quickstudy.nets.copies import copied
from quickstudy.tasks.task import Examples

pytestmark = pytest.mark.filterwarnings("ignore:.*weight_norm:FutureWarning")
HOOKS = {
    "weight_norm": lambda: nn.utils.weight_norm(nn.Linear(4, 8)),
    "prune": lambda: prune.random_unstructured(nn.Linear(4, 8), "weight", amount=0.3),
}


@pytest.mark.parametrize("name", HOOKS)
def test_a_copy_of_a_module_with_a_computed_weight_answers_alike_and_is_independent(name):
    net, x = HOOKS[name](), torch.randn(2, 4)
    expected = net(x)
    copy = copied(net)
    assert torch.equal(copy(x), expected)
    with torch.no_grad():
        for p in copy.parameters():
            p += 1
    assert torch.equal(net(x), expected)
    assert not torch.equal(copy(x), expected)


@pytest.mark.parametrize("learner", [Prototypical, lambda net: MAML(net, 3)])
@pytest.mark.parametrize("name", HOOKS)
def test_a_predictor_on_such_a_net_is_moved(name, learner):
    predict = learner(HOOKS[name]()).eval().adapt(Examples(torch.randn(3, 4), torch.arange(3)))
    x = torch.randn(2, 4)
    assert torch.equal(predict.to("cpu")(x), predict(x))


def test_tied_weights_stay_tied_in_a_copy():
    net = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    net[1].weight = net[0].weight
    copy = copied(net)
    assert copy[0].weight is copy[1].weight is not net[0].weight
