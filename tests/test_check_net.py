import re
from collections.abc import Callable

import pytest
import torch
from torch import nn

from quickstudy.errors import SettingError
from quickstudy.testing import check_net
from tests.own_nets import LAYERS


def test_what_will_work_with_a_net_is_told_line_by_line():
    before = {name: value.clone() for name, value in LAYERS.state_dict().items()}
    told = check_net(LAYERS, torch.randn(8, 3)).splitlines()
    assert told == [
        "takes it: yes, (n, 3) -> (n, 4)",
        "many tasks at once: no, tasks are computed one by one",
        "second order: exact",
        "inductive: yes",
        "random numbers: drawn in training, from a seed for each task",
        "number type: float32",
    ]
    assert all(torch.equal(value, LAYERS.state_dict()[name]) for name, value in before.items())


@pytest.mark.parametrize(
    ("net", "line"),
    [
        (
            nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 4)),
            "inductive: no",
        ),
        (nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 4)), "takes it: no, BatchNorm1d"),
        (nn.LazyLinear(4), "takes it: no, "),
        (nn.Linear(3, 4).bfloat16(), "number type: bfloat16"),
    ],
)
def test_what_will_not_is_told_too(net, line):
    assert line in check_net(net, torch.randn(8, 3))


class Odd(nn.Module):
    """A layer of width 5, and anything done with it."""

    def __init__(self, answer: Callable[[nn.Module, torch.Tensor], object], width: int = 5) -> None:
        super().__init__()
        self.a, self.answer, self.out_features = nn.Linear(4, 5), answer, width

    def forward(self, x: torch.Tensor) -> object:
        return self.answer(self.a, x)


@pytest.mark.parametrize(
    ("net", "line"),
    [
        (nn.Sequential(nn.Linear(4, 16), nn.GLU()), "vectors of width 8, .* says 16; set net.out_features = 8"),
        (Odd(lambda a, x: a(x), 9), "vectors of width 5, .* says 9; set net.out_features = 5"),
        (Odd(lambda a, x: (a(x), x)), "the net returns a tuple, but a learner takes a tensor"),
        (Odd(lambda a, x: a(x)[:, None]), r"the net returns shape \(8, 1, 5\) for 8 inputs, .*; flatten or pool it"),
        (Odd(lambda a, x: a(x).mean(0, keepdim=True)), r"the net returns shape \(1, 5\) for 8 inputs"),
        (nn.Sequential(nn.Linear(7, 5)), r"cannot compute inputs of shape \(n, 4\) \(mat1 and mat2 .*; give x as"),
        (Odd(lambda a, x: a(x.mul_(2))), "changes its input in place, .*; let the net compute a new"),
        (Odd(lambda a, x: a(x).tanh().mul_(2)), "cannot compute the gradients of MAML .*; change that part"),
    ],
)
def test_a_net_that_no_learner_takes_is_reported_in_a_line_that_says_why(net, line):
    x = torch.randn(8, 4)
    before = x.clone()
    report = check_net(net, x)
    assert re.match(f"takes it: no, .*{line}", report)
    assert "\n" not in report
    assert torch.equal(x, before)


def test_the_width_that_a_report_advises_is_taken():
    net = nn.Sequential(nn.Linear(4, 16), nn.GLU())
    net.out_features = 8
    assert check_net(net, torch.randn(8, 4)).startswith("takes it: yes, (n, 4) -> (n, 8)")


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_a_scripted_net_whose_width_is_set_later_is_taken():
    net = torch.jit.script(nn.Sequential(nn.Linear(4, 6), nn.Tanh()))
    net.out_features = 6
    assert check_net(net, torch.randn(8, 4)).startswith("takes it: yes, (n, 4) -> (n, 6)")


def test_a_wrong_second_derivative_is_found():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x**2

        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 2 * x.detach() * g  # as if it were constant

    class Net(nn.Module):
        out_features = 4

        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(3, 4)

        def forward(self, x):
            return Square.apply(self.layer(x))

    assert "second order: wrong by" in check_net(Net(), torch.randn(8, 3))


def test_a_net_that_says_nothing_of_its_inputs_is_asked_for_some():
    with pytest.raises(SettingError, match="give x, at least four inputs"):
        check_net(nn.Tanh())
    with pytest.raises(SettingError, match="x has 2 inputs, which are too few; give at least four"):
        check_net(LAYERS, torch.randn(2, 3))
