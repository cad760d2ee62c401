"""Calls of any net as functions of weights and inputs."""

import pytest
import torch
from torch import nn

from quickstudy import MAML, R2D2, ClassDataset, Episodes, Prototypical, evaluate, train
from quickstudy.errors import SettingError
from quickstudy.nets import MLP, Conv4, Encoder, apply, has_foreign, usable
from quickstudy.tasks.task import Examples
from quickstudy.testing import noise_tasks
from quickstudy.training.engine import map_tasks
from tests.own_nets import Tied, TwiceNamed


@pytest.mark.parametrize("make", [Tied, TwiceNamed, lambda: MLP(4), lambda: nn.LSTM(4, 3)])
def test_replaced_weights_are_used_wherever_they_are_and_put_back(make):
    torch.manual_seed(0)
    net, other = make(), make()
    x = torch.randn(5, 4)

    def answer(out):
        return out[0] if isinstance(out, tuple) else out

    before = dict(net.named_parameters())
    given = {name: p.detach().clone() for name, p in other.named_parameters()}
    torch.testing.assert_close(answer(apply(net, x, given, statistics="batch")), answer(other(x)))
    assert all(p is before[name] for name, p in net.named_parameters())


@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.weight_norm, nn.utils.weight_norm])
@pytest.mark.filterwarnings("ignore:.*weight_norm.*deprecated")
def test_the_second_derivative_of_weight_norm_is_exact(normalise):
    torch.manual_seed(0)
    net = normalise(nn.Linear(4, 3)).double()
    names, x = [name for name, _ in net.named_parameters()], torch.randn(5, 4, dtype=torch.float64)
    values = [p.detach().clone().requires_grad_() for p in net.parameters()]

    def call(*values):
        return apply(net, x, dict(zip(names, values, strict=True)), statistics="batch").tanh().sum()

    assert torch.autograd.gradgradcheck(call, values)


@pytest.mark.parametrize("kind", [torch.int64, torch.int16, torch.bool, torch.float16, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("learner", [Prototypical, R2D2, lambda net: MAML(net, 3, inner_lr=0.1)])
def test_features_of_any_number_type_are_learned(kind, learner):
    x, y = 3 * torch.randn(24, 4, generator=torch.Generator().manual_seed(0)), torch.arange(24) // 4
    answers = []
    for features in (x.to(kind), x.to(kind).float()):
        data = ClassDataset.from_labels(features, y)
        torch.manual_seed(0)
        made = learner(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 8)))
        train(made, Episodes(data, 3, 1, 2), steps=2)
        evaluate(made, Episodes(data, 3, 1, 2, split="test"), n_tasks=2)
        task = Episodes(data, 3, 1, 2).sample(0, 1).at(0)
        answers.append(made.eval().adapt(task.support)(task.query.x).detach())
    torch.testing.assert_close(*answers, atol=1e-2, rtol=1e-2)


def test_whole_numbers_stay_and_real_ones_follow_the_weights():
    seen = []

    class Looks(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(1, dtype=torch.bfloat16))

        def forward(self, x):
            seen.append({name: t.dtype for name, t in x.items()})
            return x["real"]

    apply(
        Looks(), {"ids": torch.tensor([303]), "real": torch.ones(1), "mask": torch.tensor([True])}, statistics="batch"
    )
    assert seen == [{"ids": torch.int64, "real": torch.bfloat16, "mask": torch.bool}]


def test_what_this_package_knows_and_what_it_tries():
    assert not has_foreign(Conv4())
    assert not has_foreign(nn.Sequential(MLP(3), nn.Linear(3, 2)))
    assert has_foreign(Encoder(nn.Sequential(nn.Linear(3, 2), nn.Tanh()), (3,)))
    assert has_foreign(nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)))


def test_weights_that_no_learner_can_take_are_refused_in_a_line():
    with pytest.raises(SettingError, match=r"'weight' of the net is lazy .* call the net once"):
        usable(nn.LazyLinear(3))
    with pytest.raises(SettingError, match="'weight' of the net is complex"):
        usable(nn.Linear(2, 2, dtype=torch.complex64))


@pytest.mark.filterwarnings("ignore:.*spectral_norm.*deprecated")
@pytest.mark.parametrize("normalise", [nn.utils.parametrizations.spectral_norm, nn.utils.spectral_norm])
def test_a_buffer_that_a_hook_or_a_parametrization_writes_is_refused(normalise):
    net = normalise(nn.Linear(4, 3))
    before = {name: b.clone() for name, b in net.named_buffers()}
    with pytest.raises(SettingError, match="forward pass changes its buffer"):
        apply(net, torch.randn(5, 4), statistics="batch")
    assert all(torch.equal(b, before[name]) for name, b in net.named_buffers())
    assert apply(net.eval(), torch.randn(5, 4), statistics="batch").shape == (5, 3)


@pytest.mark.parametrize("engine", ["auto", "loop"])
def test_a_net_that_changes_its_input_is_refused(engine):
    class Doubling(nn.Module):
        out_features = 3

        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 3)

        def forward(self, x):
            return self.linear(x.mul_(2))

    learner = MAML(Doubling(), 3)
    with pytest.raises(SettingError, match="changes its input in place"):
        map_tasks(learner.meta_loss, noise_tasks(MAML(MLP(2), 3)), engine=engine)
    support = Examples(torch.ones(3, 2), torch.eye(3))
    with pytest.raises(SettingError, match="changes its input in place"):
        learner.adapt(support)
