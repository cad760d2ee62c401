import pytest
import torch
from torch import nn

from quickstudy.errors import SettingError
from quickstudy.learners import ANIL, MAML, Prototypical, Reptile
from quickstudy.models.build import build, describe
from quickstudy.nets import MLP, NETS, Conv4, LowRank, input_shape
from quickstudy.testing import check_learner, check_net, noise_tasks


def test_the_registry_has_it():
    assert NETS["low-rank"] is LowRank


@pytest.mark.parametrize(
    "net", [MLP(4, (8, 3)), nn.Linear(4, 3), nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 3))]
)
def test_at_first_it_is_the_net_to_the_bit(net):
    x = torch.randn(5, 4)
    assert torch.equal(LowRank(net)(x), net(x))


def test_the_weight_is_that_of_the_net_plus_b_a():
    layer = nn.Conv2d(2, 3, 3, padding=1)
    net = LowRank(nn.Sequential(layer), 2)
    a, b = net.low_rank
    nn.init.normal_(b)
    x = torch.randn(4, 2, 5, 5)
    expected = nn.functional.conv2d(x, layer.weight + (b @ a).view(3, 2, 3, 3), layer.bias, padding=1)
    torch.testing.assert_close(net(x), expected)
    assert [p.shape for p in (a, b)] == [(2, 18), (3, 2)]


def test_the_factors_alone_are_trained():
    net = LowRank(Conv4(size=16, width=4))
    assert {name for name, p in net.named_parameters() if p.requires_grad} == {f"low_rank.{i}" for i in range(8)}
    assert (net.out_features, input_shape(net)) == (4, (1, 16, 16))


@pytest.mark.parametrize(
    "made",
    [
        lambda net: MAML(net, 3, inner_steps=2, adapt_only="low_rank.*"),
        lambda net: Reptile(net, 3, inner_lr=0.1, inner_rule="sgd", inner_steps=2, test_steps=2),
        lambda net: ANIL(net, 3),
    ],
)
def test_where_the_factors_start_is_meta_learned_and_the_net_stays(made):
    torch.manual_seed(0)
    learner = made(LowRank(MLP(4, (8,), "tanh"), 2))
    nn.init.normal_(learner.model[1].weight)  # from a head of zeros, the first step moves the head alone
    before = {name: p.detach().clone() for name, p in learner.net.named_parameters()}
    task = noise_tasks(learner).at(0)
    optimizer = torch.optim.SGD(learner.parameters(), lr=0.1)
    for _ in range(2):  # A moves once B is not zero
        optimizer.zero_grad()
        learner.train().meta_loss(task).backward()
        optimizer.step()
    moved = {name for name, p in learner.net.named_parameters() if not torch.equal(p, before[name])}
    assert moved == {"low_rank.0", "low_rank.1"}


def test_what_has_no_layer_to_change_is_refused():
    with pytest.raises(SettingError, match="needs a net with a linear layer or a convolution"):
        LowRank(nn.Flatten())
    with pytest.raises(SettingError, match="a rank of at least 1"):
        LowRank(nn.Linear(2, 2), 0)


@pytest.mark.parametrize(("conv", "n"), [(nn.Conv1d, 1), (nn.Conv2d, 2), (nn.Conv3d, 3)])
def test_a_convolution_of_any_dimension_and_groups_learns(conv, n):
    net = LowRank(nn.Sequential(conv(4, 6, 3, groups=2), nn.Flatten()), 2)
    assert [p.shape for p in net.low_rank] == [(2, 2 * 3**n), (6, 2)]
    x = torch.randn(2, 4, *[3] * n)
    before = net(x).detach()
    nn.init.constant_(net.low_rank[1], 0.5)
    net(x).sum().backward()
    assert not torch.equal(net(x), before)
    assert all(p.grad.any() for p in net.low_rank)


def test_a_transposed_convolution_is_refused():
    with pytest.raises(SettingError, match="not a transposed one"):
        LowRank(nn.ConvTranspose1d(2, 3, 3))


@pytest.mark.parametrize("norm", [nn.utils.parametrizations.weight_norm, nn.utils.parametrizations.spectral_norm])
def test_a_weight_that_is_computed_is_refused_and_learns_once_it_is_plain(norm):
    layer = norm(nn.Linear(3, 2))
    with pytest.raises(SettingError, match=r"ParametrizedLinear '0' computes its weight.*remove that first"):
        LowRank(nn.Sequential(layer))
    nn.utils.parametrize.remove_parametrizations(layer, "weight")
    net = LowRank(nn.Sequential(layer))
    assert net(torch.ones(1, 3)).requires_grad


def test_it_is_built_again_from_its_description():
    config = describe(Prototypical(LowRank(MLP(2, (4,)), 3)))
    assert config["net"]["net"]["name"] == "mlp"
    assert describe(build(config)) == config


def test_it_keeps_the_laws():
    check_net(LowRank(Conv4(size=16, width=4)))
    check_learner(MAML(LowRank(Conv4(size=16, width=4)), 3, adapt_only="low_rank.*"))
