import copy
import threading

import pytest
import torch
from torch import Tensor, nn
from torch.func import grad, vmap
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.learners import MAML, Prototypical, Reptile
from quickstudy.nets import BatchNorm, Conv4, apply, convert_norms, record_population
from quickstudy.tasks.task import Examples, Task

SHAPES = [(6, 3), (6, 3, 5), (6, 3, 4, 4)]
SOURCES = ["batch", "population", 4]


def norm_and_input(shape: tuple[int, ...]) -> tuple[BatchNorm, Tensor]:
    draw = torch.Generator().manual_seed(0)
    norm = BatchNorm(shape[1]).double()
    for tensor in norm.state_dict().values():
        tensor.copy_(torch.rand(shape[1], generator=draw, dtype=torch.float64) + 0.5)
    return norm, 3 * torch.randn(shape, generator=draw, dtype=torch.float64) + 1


def by_hand(norm: BatchNorm, x: Tensor, rows: Tensor) -> Tensor:
    out = torch.empty_like(x)
    for c in range(x.shape[1]):
        mean = rows[:, c].mean()
        var = ((rows[:, c] - mean) ** 2).mean()
        out[:, c] = (x[:, c] - mean) / (var + norm.eps).sqrt() * norm.weight[c] + norm.bias[c]
    return out.detach()


def close(a: Tensor, b: Tensor) -> None:
    torch.testing.assert_close(a.detach(), b.detach(), rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("shape", SHAPES)
def test_batch_statistics_are_those_of_all_rows(shape):
    norm, x = norm_and_input(shape)
    out = apply(norm, x, statistics="batch")
    close(out, by_hand(norm, x, x))
    close(out, F.batch_norm(x, None, None, norm.weight, norm.bias, training=True))


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("n", [2, 5, 6])
def test_a_number_n_takes_the_statistics_of_the_first_n_rows(shape, n):
    norm, x = norm_and_input(shape)
    close(apply(norm, x, statistics=n), by_hand(norm, x, x[:n]))


@pytest.mark.parametrize("shape", SHAPES)
def test_population_statistics_are_torchs_evaluation_mode(shape):
    norm, x = norm_and_input(shape)
    out = apply(norm, x, statistics="population")
    close(out, F.batch_norm(x, norm.mean, norm.var, norm.weight, norm.bias, training=False))
    close(out, norm.eval()(x))  # also where nothing is said


@pytest.mark.parametrize("statistics", ["population", 4])
def test_rows_that_give_no_statistics_are_independent(statistics):
    norm, x = norm_and_input((6, 3, 4, 4))
    together = apply(norm, x, statistics=statistics)
    alone = apply(norm, torch.cat([x[:4], x[5:]]), statistics=statistics)
    close(together[5:], alone[4:])


def test_batch_statistics_make_rows_depend_on_one_another():
    norm, x = norm_and_input((6, 3, 4, 4))
    assert not torch.allclose(apply(norm, x, statistics="batch")[5:], apply(norm, x[4:], statistics="batch")[1:])


def test_a_recorded_population_is_that_of_its_inputs_through_all_layers():
    torch.manual_seed(0)
    net, x = Conv4(size=16, width=4).double(), torch.randn(9, 1, 16, 16).double()
    record_population(net, x)
    close(apply(net, x, statistics="population"), apply(net, x, statistics="batch"))
    alone = torch.cat([apply(net, row, statistics="population") for row in x[:, None]])
    close(alone, apply(net, x, statistics="population"))


@pytest.mark.parametrize("statistics", SOURCES)
def test_no_pass_but_the_recording_one_changes_the_net(statistics):
    norm, x = norm_and_input((6, 3))
    before = {name: tensor.clone() for name, tensor in norm.state_dict().items()}
    apply(norm.train(), x, statistics=statistics)
    assert all(torch.equal(before[name], tensor) for name, tensor in norm.state_dict().items())
    record_population(norm, x)
    assert not torch.equal(before["mean"], norm.mean)


@pytest.mark.parametrize("statistics", SOURCES)
def test_first_and_second_derivatives_are_those_of_finite_differences(statistics):
    norm, x = norm_and_input((6, 3))

    def out(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
        return apply(norm, x, {"weight": weight, "bias": bias}, statistics=statistics)

    inputs = [t.detach().clone().requires_grad_() for t in (x, norm.weight, norm.bias)]
    assert torch.autograd.gradcheck(out, inputs, fast_mode=True)
    assert torch.autograd.gradgradcheck(out, inputs, fast_mode=True)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("statistics", SOURCES)
def test_second_derivatives_of_many_tasks_at_once_are_those_of_each_alone(shape, statistics):
    # torch's fused batch norm, given its weight, loses a term of the weight's second derivative here.
    norm, x = norm_and_input(shape)
    tasks = torch.stack([x, x.flip(0) ** 2, x.sin()])

    def inner(params: dict[str, Tensor], x: Tensor, scale: Tensor) -> Tensor:
        return apply(norm, x * scale, params, statistics=statistics).sin().pow(2).sum()

    def outer(scale: Tensor, x: Tensor) -> Tensor:
        params = {"weight": norm.weight.detach(), "bias": norm.bias.detach()}
        return sum((g**2).sum() for g in grad(inner)(params, x, scale).values())

    scale = torch.rand(x.shape[1:], generator=torch.Generator().manual_seed(1)).double() + 0.5
    together = vmap(grad(outer), (None, 0))(scale, tasks)
    shared = grad(lambda s: vmap(outer, (None, 0))(s, tasks).sum())(scale)
    alone = torch.stack([grad(outer)(scale, x) for x in tasks])
    torch.testing.assert_close(together, alone, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(shared, alone.sum(0), rtol=1e-9, atol=1e-9)


def test_the_choice_of_statistics_ends_with_the_call_even_if_it_fails():
    norm, x = norm_and_input((6, 3))
    with pytest.raises(RuntimeError):
        apply(norm, x[:, :2], statistics="batch")
    close(norm.eval()(x), apply(norm, x, statistics="population"))


def test_threads_choose_their_own_statistics():
    norm, x = norm_and_input((6, 3))
    seen: dict[str, Tensor] = {}

    class Slow(torch.nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            meeting.wait()
            return norm(x)

    meeting = threading.Barrier(2)
    threads = [
        threading.Thread(target=lambda s=s: seen.update({s: apply(Slow(), x, statistics=s)}))
        for s in ("batch", "population")
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for statistics, out in seen.items():
        close(out, apply(norm, x, statistics=statistics))


def test_a_plain_call_normalises_by_the_batch_in_training_and_by_the_population_after():
    norm, x = norm_and_input((6, 3))
    close(norm.train()(x), apply(norm, x, statistics="batch"))
    close(norm.eval()(x), apply(norm, x, statistics="population"))


@pytest.mark.parametrize("call", [lambda n, x: n.eval()(x), lambda n, x: apply(n, x, statistics="population")])
def test_a_population_that_nobody_recorded_is_asked_for_in_a_line(call):
    norm = BatchNorm(3)
    with pytest.raises(SettingError, match="no population statistics yet; train the learner, or record them"):
        call(norm, torch.rand(6, 3))
    record_population(norm, torch.rand(6, 3))
    call(norm, torch.rand(6, 3))
    again = BatchNorm(3)
    again.load_state_dict(norm.state_dict())
    x = torch.rand(6, 3)
    close(call(again, x), call(norm, x))


NORMED = {
    "1d": (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4)), (6, 3)),
    "2d": (lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4, eps=0.1), nn.Flatten()), (6, 3, 5, 5)),
    "no statistics": (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, track_running_stats=False)), (6, 3)),
    "not affine": (lambda: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4, affine=False)), (6, 3)),
    "alone": (lambda: nn.BatchNorm1d(3), (6, 3)),
}


@pytest.mark.parametrize("kind", NORMED)
def test_a_converted_net_is_the_net_by_its_batch_and_by_its_population(kind):
    make, shape = NORMED[kind]
    net = make().double()
    with torch.no_grad():
        for p in net.parameters():
            p += torch.rand_like(p)
    net.train()(torch.randn(shape, dtype=torch.float64))  # running statistics of some batch
    weights = {name: value.clone() for name, value in net.state_dict().items()}
    converted, x = convert_norms(net), torch.randn(shape, dtype=torch.float64)
    assert not any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in converted.modules())
    if kind != "no statistics":
        close(converted.eval()(x), net.eval()(x))
    close(converted.train()(x), copy.deepcopy(net).train()(x))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in weights.items())


def test_a_norm_with_two_names_is_converted_once():
    norm = nn.BatchNorm1d(3)
    converted = convert_norms(nn.Sequential(nn.Linear(3, 3), norm, nn.Linear(3, 3), norm))
    assert converted[1] is converted[3]


def test_a_norm_that_may_do_more_is_refused_in_a_line():
    class WithActivation(nn.BatchNorm2d):
        def forward(self, x):
            return super().forward(x).relu()

    with pytest.raises(SettingError, match="'0' is a WithActivation, which may do more"):
        convert_norms(nn.Sequential(WithActivation(3)))


@pytest.mark.parametrize("learner", [Reptile, MAML, Prototypical])
def test_running_statistics_are_never_trained_on(learner):
    net = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    net.out_features = 4
    before = {name: value.clone() for name, value in net.state_dict().items()}
    support = Examples(torch.randn(6, 3), torch.eye(3).repeat(2, 1))
    with pytest.raises(SettingError, match=r"BatchNorm1d .* use qs.convert_norms\(net\)"):
        learner(net).meta_loss(Task(support, support))
    assert all(torch.equal(value, net.state_dict()[name]) for name, value in before.items())
    converted = convert_norms(net)
    converted.out_features = 4
    assert learner(converted).meta_loss(Task(support, support)).isfinite()


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_block_in_mixed_precision_is_about_that_of_full_precision(sign):
    torch.manual_seed(0)
    norm, x, weight = BatchNorm(8), torch.rand(6, 3, 8, 8), torch.randn(8, 3, 3, 3)
    with torch.no_grad():
        norm.weight.copy_(sign * torch.linspace(0.5, 2, 8))
        norm.bias.copy_(torch.linspace(-1, 1, 8))
    with torch.autocast("cpu", torch.bfloat16):
        mixed = norm.pooled(x, weight)
    torch.testing.assert_close(mixed.float(), norm.pooled(x, weight), atol=0.05, rtol=0.05)
