import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional as F

from quickstudy.nets import NETS, Conv4, apply


@settings(max_examples=20, deadline=None)
@given(n=st.integers(2, 3), channels=st.integers(1, 3), size=st.integers(16, 40), pool=st.booleans())
def test_images_become_vectors_of_the_width_that_it_says(n, channels, size, pool):
    net = Conv4(channels, size, width=2, pool=pool)
    assert net(torch.zeros(n, channels, size, size)).shape == (n, net.out_features)


@pytest.mark.parametrize("pool", [False, True])
def test_it_is_four_blocks_of_convolution_batch_norm_and_relu(pool):
    torch.manual_seed(0)
    net, x = Conv4(2, 17, 3, pool=pool).double(), torch.randn(5, 2, 17, 17).double()
    z = x
    for conv in net.convs:
        z = F.conv2d(z, conv.weight, stride=1 if pool else 2, padding=1)
        z = F.relu(F.batch_norm(z, None, None, training=True))
        z = F.max_pool2d(z, 2) if pool else z
    z = z.flatten(1) if pool else z.mean((2, 3))
    torch.testing.assert_close(apply(net, x, statistics="batch"), z, rtol=1e-10, atol=1e-10)


def test_the_published_sizes():
    assert Conv4(1, 28, 64).out_features == 64
    assert Conv4(3, 84, 64).out_features == 1600
    assert Conv4(1, 28, 64, pool=False).out_features == 64
    assert sum(p.numel() for p in Conv4(1, 28, 64).parameters()) == 9 * 64 + 3 * 9 * 64 * 64 + 4 * 2 * 64


def test_it_is_known_by_its_name():
    assert NETS["conv4"] is Conv4
