import pytest
import torch
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.nets import Conv4Maps, apply


@pytest.mark.parametrize("size", [16, 28, 30])
def test_it_is_four_blocks_of_which_two_pool(size):
    torch.manual_seed(0)
    net, x = Conv4Maps(2, size, 3).double(), torch.rand(5, 2, size, size, dtype=torch.float64)
    z = x
    for i, conv in enumerate(net.convs):
        z = F.relu(F.batch_norm(F.conv2d(z, conv.weight, padding=1), None, None, training=True))
        z = F.max_pool2d(z, 2) if i < 2 else z
    assert z.shape[1:] == net.maps
    torch.testing.assert_close(apply(net, x, statistics="batch"), z.flatten(1), rtol=1e-10, atol=1e-10)
    assert net.out_features == z[0].numel()


def test_images_that_would_vanish_are_refused():
    with pytest.raises(SettingError, match="size=15"):
        Conv4Maps(size=15)
