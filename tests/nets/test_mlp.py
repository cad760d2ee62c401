import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.nets import MLP, NETS


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, 4), widths=st.lists(st.integers(1, 5), min_size=2, max_size=4))
def test_vectors_become_vectors_of_the_width_that_it_says(n, widths):
    net = MLP(widths[0], widths[1:])
    assert net(torch.zeros(n, widths[0])).shape == (n, net.out_features)
    assert net.out_features == widths[-1]


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_every_layer_is_affine_and_activated(activation):
    torch.manual_seed(0)
    net, x = MLP(2, (3, 4), activation), torch.randn(5, 2)
    z = x
    for layer in net.layers:
        z = getattr(torch, activation)(z @ layer.weight.T + layer.bias)
    torch.testing.assert_close(net(x), z)


def test_the_published_sinusoid_net_has_1761_weights_with_its_head():
    body = sum(p.numel() for p in MLP(1, (40, 40)).parameters())
    assert body + 41 == 1761


def test_it_is_known_by_its_name():
    assert NETS["mlp"] is MLP
