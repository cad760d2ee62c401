import random
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from quickstudy.errors import SettingError
from quickstudy.learners import MAML, Prototypical
from quickstudy.learners.inner import UNROLLED
from quickstudy.nets import MLP, Conv4
from quickstudy.nets.fast.private import inside_transform
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks
from quickstudy.training import engine
from quickstudy.training.engine import distance, map_tasks, settle
from quickstudy.training.outer import losses_and_gradients


def tasks(n: int) -> Task:
    draw = torch.Generator().manual_seed(n)
    return Task(*(Examples(*(torch.randn(n, k, 2, generator=draw) for _ in "xy")) for k in (3, 4)))


def score(task: Task) -> torch.Tensor:
    (sx, sy), (qx, qy) = task
    return torch.stack([(sx * sy).sum(), qx.max() + qy.min()])


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 7), chunk_size=st.integers(1, 9), how=st.sampled_from(["vmap", "auto", "loop"]))
def test_every_engine_gives_the_tasks_results_in_their_order(n, chunk_size, how):
    batch = tasks(n)
    expected = torch.stack([score(batch.at(i)) for i in range(n)])
    torch.testing.assert_close(map_tasks(score, batch, engine=how, chunk_size=chunk_size), expected)


@pytest.mark.parametrize("chunk_size", [None, 1, 2])
def test_the_second_order_meta_gradient_is_the_same_by_every_engine(chunk_size):
    torch.manual_seed(0)
    learner = MAML(Conv4(size=16, width=4), 3, inner_lr=0.4, inner_steps=2).double()
    batch = noise_tasks(learner, n_shot=1, n_query=2)

    def gradient(how: str, chunk_size: int | None = None) -> list[torch.Tensor]:
        losses = map_tasks(learner.meta_loss, batch, engine=how, chunk_size=chunk_size)
        return list(torch.autograd.grad(losses.mean(), list(learner.net.parameters())))

    for a, b in zip(gradient("loop"), gradient("vmap", chunk_size), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-10, atol=1e-12)


def test_auto_takes_tasks_together_only_where_enough_are_small_enough(monkeypatch):
    calls = 0

    def count(task: Task) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return score(task)

    each = tasks(1).support.x.numel() + tasks(1).query.x.numel()
    for most, expected in ((12 * each, 1), (6 * each, 2), (3 * each, 12), (1, 12)):
        monkeypatch.setattr(engine, "VMAP_NUMBERS", most)
        calls = 0
        map_tasks(count, tasks(12))
        assert calls == expected
    calls = 0
    map_tasks(count, tasks(engine.FEWEST - 1))
    assert calls == engine.FEWEST - 1


def test_tasks_too_large_to_go_together_are_taken_as_they_are(monkeypatch):
    monkeypatch.setattr(engine, "VMAP_NUMBERS", 1)
    batch = tasks(3)
    values = map_tasks(lambda task: torch.tensor(task.query.x.sum().item()), batch)  # under vmap, item() fails
    torch.testing.assert_close(values, batch.query.x.sum((1, 2)))


def normed(inner_steps: int = 2) -> MAML:
    """MAML on a net whose second derivatives ``torch.func.grad`` gets wrong under vmap."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 6))
    learner = MAML(net, 5, inner_lr=0.3, inner_steps=inner_steps, learned_head=True)
    learner.input_shape = (4,)
    return learner


def measured(learner: MAML, how: str = "auto", n_tasks: int = 8) -> engine.Settled:
    batch = noise_tasks(learner, n_tasks=n_tasks)
    return settle(learner.double(), partial(losses_and_gradients, learner), batch, how)


class Fickle(nn.Module):
    def forward(self, x):
        return x * (1.01 if inside_transform() else 1.0)


def test_vmap_is_given_up_where_it_gives_other_numbers():
    learner = normed()
    learner.net[2] = Fickle()
    with pytest.warns(UserWarning, match=r"vmap gives other numbers than a loop for this net .*by [\d.]+ %") as told:
        assert measured(learner) == ("loop", False)
    assert len(told) == 1


@pytest.mark.parametrize("inner_steps", [2, UNROLLED + 1])
def test_second_derivatives_of_torchs_layers_are_those_of_the_loop(inner_steps):
    learner = normed(inner_steps).double()
    batch = noise_tasks(learner, n_tasks=8)
    assert distance(*(losses_and_gradients(learner, batch, how) for how in ("loop", "vmap"))) < 1e-10


def test_it_is_kept_where_it_is_right():
    assert measured(normed()) == ("auto", False)


def test_nets_of_this_package_are_not_tried():
    def measure(tasks, how):
        raise AssertionError("tried")

    for learner in (MAML(Conv4(size=16, width=4)), Prototypical(MLP(4))):
        assert settle(learner, measure, noise_tasks(learner), "auto") == ("auto", False)


def test_a_net_that_cannot_run_under_vmap_is_taken_by_a_loop():
    learner = normed()
    learner.net[2] = Branch()
    with pytest.warns(UserWarning, match=r"vmap cannot compute this net \(.*\), so tasks are computed one by one"):
        assert measured(learner).engine == "loop"
    assert measured(learner, n_tasks=3) == ("loop", False)  # too few for vmap: nothing to try, nothing to say


def test_vmap_that_is_asked_for_is_refused_where_it_is_wrong():
    learner = normed()
    assert measured(learner, "vmap") == ("vmap", False)
    learner.net[2] = Fickle()
    with pytest.raises(SettingError, match=r"engine='vmap': vmap gives other numbers .*; use engine='auto'"):
        measured(learner, "vmap")
    learner.net[2] = Branch()
    with pytest.raises(SettingError, match=r"engine='vmap': vmap cannot compute this net \(RuntimeError: .*\); use"):
        measured(learner, "vmap")


class Branch(nn.Module):
    def forward(self, x):
        return x.tanh() if x.sum() > 0 else x.sin()


def test_random_numbers_are_noticed_and_left_as_they_were():
    learner = normed()
    learner.net[2] = nn.Dropout(0.5)
    before = torch.get_rng_state()
    assert measured(learner.train()) == ("loop", True)
    assert torch.equal(before, torch.get_rng_state())
    assert measured(learner.eval()).draws is False
    with pytest.raises(SettingError, match="cannot compute a net that draws random numbers"):
        measured(learner.train(), "vmap")


class Drawing(nn.Module):
    """Draws by what no seed of a task reaches, or changes a weight by a way around autograd."""

    def __init__(self, draw):
        super().__init__()
        self.weight, self.draw = nn.Parameter(torch.ones(8)), draw

    def forward(self, x):
        return x * self.draw(self) + 0 * self.weight.to(x.dtype)


OWN = torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("draw", "says"),
    [
        (lambda net: random.random(), "gives other numbers for the same inputs and seed"),
        (lambda net: np.random.default_rng().random(), "gives other numbers for the same inputs and seed"),
        (lambda net: torch.rand((), generator=OWN).item(), "gives other numbers for the same inputs and seed"),
        (lambda net: 1 + 0 * net.weight.data.mul_(0.9).sum().item(), "changes its weight '2.weight'"),
        (lambda net: setattr(net.weight, "data", net.weight.data * 0.9) or 1, "changes its weight '2.weight'"),
    ],
)
@pytest.mark.parametrize("how", ["auto", "loop", "vmap"])
def test_a_net_that_does_not_repeat_its_numbers_is_refused(draw, says, how):
    learner = normed()
    learner.net[2] = Drawing(draw)
    with pytest.raises(SettingError, match=says):
        measured(learner, how)


def test_a_learner_that_keeps_state_a_weight_that_is_nan_and_weights_that_move_in_memory_are_no_fault():
    class Running(MAML):
        scale = 1.0

        def meta_loss(self, task):
            self.scale *= 1.1
            return super().meta_loss(task) * self.scale

    learner = normed()
    learner.net[2] = Drawing(lambda net: setattr(net.weight, "data", net.weight.data.clone()) or 1)
    with torch.no_grad():
        learner.net[2].weight[0] = torch.nan
    assert measured(learner, "loop") == ("loop", False)
    running = Running(normed().net, 5, inner_steps=2, learned_head=True)
    running.input_shape = (4,)
    assert measured(running, "loop") == ("loop", False)


def test_a_learner_may_give_its_net_other_inputs_than_those_of_the_task():
    class Halves(Prototypical):
        def meta_loss(self, task):
            return super().meta_loss(Task(*(Examples(part.x[:, :2], part.y) for part in task)))

    torch.manual_seed(0)
    learner = Halves(nn.Sequential(nn.Linear(2, 8), nn.LayerNorm(8)))
    learner.input_shape = (4,)
    assert measured(learner) == ("auto", False)


def test_a_net_that_returns_several_tensors_may_be_used_by_a_learner_that_takes_one():
    class Two(nn.Linear):
        def forward(self, x):
            return super().forward(x), x

    class First(Prototypical):
        def embed_together(self, support, query):
            z = self.net(torch.cat([support.x, query]))[0]
            return Examples(z[: len(support.y)], support.y), z[len(support.y) :]

    learner = First(Two(4, 8))
    learner.input_shape = (4,)
    assert measured(learner) == ("auto", False)


def test_each_task_draws_from_its_own_seed_whatever_the_others_do():
    batch = tasks(3)
    drawn = map_tasks(lambda task: torch.rand(2), batch, seeds=[5, 6, 7])
    alone = map_tasks(lambda task: torch.rand(2), batch.at([1]), seeds=[6])
    assert torch.equal(drawn[1:2], alone)
    assert not torch.equal(drawn[0], drawn[1])


@pytest.mark.parametrize(
    ("expected", "found", "off"),
    [
        ([[3.0, 4.0]], [[3.0, 4.0]], 0.0),
        ([[3.0, 4.0], [1e-9]], [[3.0, 4.0], [2e-9]], 2e-9),  # rounding of what is zero
        ([[100.0], [0.5]], [[100.0], [0.6]], 0.1 / (0.5 + 10)),  # a small gradient that is wrong
        ([[1.0, torch.inf]], [[1.0, torch.inf]], 0.0),
        ([[1.0, torch.nan]], [[1.0, torch.nan]], 0.0),
        ([[1.0, 2.0]], [[1.0, torch.nan]], torch.inf),
    ],
)
def test_a_distance_is_relative_to_the_size_of_what_is_compared(expected, found, off):
    a, b = ([torch.tensor(t, dtype=torch.float64) for t in each] for each in (expected, found))
    assert distance(a, b) == pytest.approx(off, rel=0.01)
