import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from quickstudy.inputs.dataset import ClassDataset
from quickstudy.tasks.digits import digits


@pytest.fixture(scope="module")
def data() -> ClassDataset:
    return digits()


def test_every_digit_of_scikit_learn_is_there(data):
    assert data.names == tuple("0123456789")
    assert data.x.shape == (1797, 1, 28, 28)
    assert data.x.dtype == torch.uint8
    assert np.array_equal(data.counts, np.bincount(load_digits().target))


def test_images_keep_their_digit(data):
    found = load_digits()
    order = np.argsort(found.target, kind="stable")
    reduced = torch.nn.functional.interpolate(data.x[:, :, 4:24, 4:24].float(), (8, 8), mode="area")
    original = torch.from_numpy(found.images[order]).float()[:, None]
    together = torch.stack([reduced.flatten(1), original.flatten(1)], 1)
    together = torch.nn.functional.normalize(together - together.mean(2, keepdim=True), dim=2)
    assert (together[:, 0] * together[:, 1]).sum(1).min() > 0.9


def test_ink_is_light_on_an_empty_margin(data):
    assert data.x.amax((1, 2, 3)).min() > 200
    inside = torch.zeros(28, 28, dtype=torch.bool)
    inside[4:24, 4:24] = True
    assert not data.x[..., ~inside].any()
    ink = data.x.float().mean((1, 2, 3)) / 255
    assert ink.min() > 0.05
    assert ink.max() < 0.3


def test_it_is_the_same_every_time(data):
    again = digits()
    assert torch.equal(again.x, data.x)
    assert torch.equal(again.y, data.y)


def test_nearest_class_mean_tells_digits_apart(data):
    x = data.x.float().flatten(1)
    means = torch.stack([x[data.y == c][:50].mean(0) for c in range(10)])
    held_out = torch.cat([torch.arange(s + 50, s + n) for s, n in zip(data.starts, data.counts, strict=True)])
    assert (torch.cdist(x[held_out], means).argmin(1) == data.y[held_out]).float().mean() > 0.8
