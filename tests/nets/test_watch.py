"""A forward pass leaves buffers, weights and inputs as they were, or it is refused."""

import pytest
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from quickstudy import ANIL, MAML, Prototypical
from quickstudy.errors import SettingError
from quickstudy.nets import apply
from quickstudy.tasks.task import Examples


class Shortening(nn.Linear):
    def forward(self, x):
        with torch.no_grad():
            self.weight.clamp_(-0.1, 0.1)
        return super().forward(x)


@pytest.mark.parametrize("given", [False, True])
def test_a_net_that_changes_a_weight_is_refused(given):
    net = Shortening(2, 3)
    weights = {name: p.detach().clone() for name, p in net.named_parameters()} if given else None
    with pytest.raises(SettingError, match=r"changes its weight 'weight', .*torch.nn.utils.parametrize"):
        apply(net, torch.ones(4, 2), weights, statistics="batch")


@pytest.mark.parametrize("learner", [lambda net: MAML(net, 3), Prototypical])
def test_nothing_is_watched_while_torch_compiles(learner):
    net = nn.Sequential(nn.Linear(4, 16), nn.LayerNorm(16), nn.Tanh(), nn.Linear(16, 8))
    predict, x = learner(net).adapt(Examples(torch.randn(6, 4), torch.eye(3).repeat(2, 1))), torch.randn(5, 4)
    torch.testing.assert_close(torch.compile(predict, fullgraph=True, backend="eager")(x), predict(x))


class Checkpointed(nn.Module):
    out_features = 8

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(4, 8)

    def forward(self, x):
        return checkpoint(lambda z: self.layer(z).tanh(), x, use_reentrant=False)


def test_a_checkpoint_is_refused_only_where_the_weights_under_it_move():
    support, query = Examples(torch.randn(6, 4), torch.eye(3).repeat(2, 1)), torch.randn(5, 4)
    frozen = Checkpointed().requires_grad_(False)
    plain = nn.Sequential(frozen.layer, nn.Tanh())
    for learner in (lambda net: MAML(net, 3, adapt_only="head"), ANIL, Prototypical):
        torch.manual_seed(0)
        expected = learner(plain).adapt(support)(query)
        torch.testing.assert_close(learner(frozen).adapt(support)(query), expected)
    with pytest.raises(SettingError, match=r"keeps tensors by hooks, as torch.utils.checkpoint does"):
        MAML(Checkpointed(), 3).adapt(support)
