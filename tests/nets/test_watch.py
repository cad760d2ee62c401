"""A forward pass leaves buffers, weights and inputs as they were, or it is refused."""

import pytest
import torch
from torch import nn

from quickstudy import MAML, Prototypical
from quickstudy.errors import SettingError
from quickstudy.nets import apply
from quickstudy.tasks.task import Examples


class Rewriting(nn.Linear):
    """Layer that does something to its own weights in each forward pass."""

    out_features = 3

    def __init__(self, rewrite):
        super().__init__(2, 3)
        self.rewrite = rewrite

    def forward(self, x):
        with torch.no_grad():
            self.rewrite(self)
        return super().forward(x)


def shorten(layer):
    layer.weight.clamp_(-0.1, 0.1)


def replace_data(layer):
    layer.weight.data = layer.weight.data.clamp(-0.1, 0.1)


def repack(layer):
    """As ``flatten_parameters`` of recurrent layers does: the same numbers elsewhere in memory."""
    layer.weight.data = layer.weight.data.clone()


@pytest.mark.parametrize("rewrite", [shorten, replace_data])
@pytest.mark.parametrize("given", [False, True])
def test_a_net_that_changes_a_weight_is_refused(rewrite, given):
    net = Rewriting(rewrite)
    weights = {name: p.detach().clone() for name, p in net.named_parameters()} if given else None
    with pytest.raises(SettingError, match=r"changes its weight 'weight', .*torch.nn.utils.parametrize"):
        apply(net, torch.ones(4, 2), weights, statistics="batch")


def test_weights_that_only_move_in_memory_are_no_change():
    net = Rewriting(repack)
    x = torch.ones(4, 2)
    torch.testing.assert_close(apply(net, x, statistics="batch"), net(x))


@pytest.mark.parametrize("learner", [lambda net: MAML(net, 3), Prototypical])
def test_nothing_is_watched_while_torch_compiles(learner):
    net = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 8))
    predict, x = learner(net).adapt(Examples(torch.randn(6, 4), torch.eye(3).repeat(2, 1))), torch.randn(5, 4)
    torch.testing.assert_close(torch.compile(predict, fullgraph=True, backend="eager")(x), predict(x))
