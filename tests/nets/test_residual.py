"""The residual net leaves directions alone until it has learned something."""

import torch

from quickstudy import Identity, Residual


def test_at_first_squared_distances_are_ten_times_as_large():
    x = torch.randn(6, 4, dtype=torch.float64)
    z = Residual(4).double()(x)
    torch.testing.assert_close(torch.cdist(z, z) ** 2, 10 * torch.cdist(x, x) ** 2, rtol=1e-6, atol=1e-6)


def test_identity_changes_nothing():
    x = torch.randn(3, 4)
    assert Identity(4)(x) is x
    assert Identity(4).out_features == 4
