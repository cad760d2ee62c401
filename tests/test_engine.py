import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy import engine
from quickstudy.engine import map_tasks
from quickstudy.learners import MAML
from quickstudy.nets import Conv4
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks


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
