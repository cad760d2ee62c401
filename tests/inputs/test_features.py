"""Features are always those of the module as it is now, and are computed once."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.features import features

X = torch.rand(200, 3, generator=torch.Generator().manual_seed(0)) + 0.5
DATA = ClassDataset.from_labels(X, [i // 50 for i in range(200)])


class Power(nn.Module):
    """Module with all that a state dictionary lacks: an attribute, a buffer that is not saved, and code."""

    def __init__(self, power: float = 1, scale: float = 1) -> None:
        super().__init__()
        self.power, self.rows = power, 0
        self.register_buffer("scale", torch.full((3,), scale), persistent=False)

    def forward(self, x):
        self.rows += len(x)
        return self.scale * x**self.power


class Edited(Power):
    def _get_name(self) -> str:
        return "Power"

    def forward(self, x):
        return super().forward(x) + 1


class Narrow(Edited):
    def forward(self, x):
        return super().forward(x)[:, :1]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path))


@pytest.mark.parametrize("other", [Power(3), Power(1.01), Power(1, 2.0), Edited(), Narrow()])
def test_what_a_key_does_not_hold_changes_the_features(other):
    assert repr(other) == repr(Power())
    assert torch.equal(features(Power(), DATA).x, X)
    for module in (other, Power(), other):
        assert torch.equal(features(module, DATA).x, module(X))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_the_same_module_embeds_only_a_few_inputs_again(dtype):
    torch.manual_seed(0)
    net = nn.Sequential(Power(2), nn.Linear(3, 64), nn.ReLU(), nn.Linear(64, 64), nn.LayerNorm(64), nn.Linear(64, 5))
    net.to(dtype)
    first = features(net, DATA, batch_size=64).x
    assert net[0].rows == 200
    assert torch.equal(features(net, DATA, batch_size=7).x, first)
    assert net[0].rows == 205


@pytest.mark.parametrize("n", [1, 2, 3])
def test_few_inputs_are_checked_too(n):
    data = ClassDataset.from_labels(X[:n], ["a"] * n)
    module = Power()
    for rows in (n, 2 * n):
        assert torch.equal(features(module, data).x, X[:n])
        assert module.rows == rows


def test_another_process_reads_what_one_saved():
    code = (
        "import torch; from tests.inputs.test_features import *;"
        "torch.set_num_threads({}); module = Power(2); features(module, DATA); print(module.rows)"
    )
    rows = [
        subprocess.run(
            [sys.executable, "-c", code.format(threads)], check=True, capture_output=True, text=True, env=os.environ
        ).stdout
        for threads in (1, 2)
    ]
    assert rows == ["200\n", "5\n"]
