"""Tasks of unequal ways and shots: their sizes, and that together they give what they give one by one."""

import numpy as np
import pytest
import torch

import quickstudy as qs
from quickstudy.errors import NotEnoughClasses, NotEnoughExamples, SettingError
from quickstudy.tasks.task import Task, UnequalTasks
from quickstudy.tasks.varied import VariedEpisodes, shots_of
from quickstudy.testing import noise_tasks

SIZES = [4, 6, 8, 12, 20, 40, 5, 9]


@pytest.fixture(scope="module")
def data() -> qs.ClassDataset:
    labels = [str(c) for c, n in enumerate(SIZES) for _ in range(n)]
    x = torch.randn(len(labels), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return qs.ClassDataset.from_labels(x, labels)


def test_ways_and_shots_differ_and_no_example_is_on_both_sides(data):
    tasks = VariedEpisodes(data, (3, 6)).sample(2, 60).tasks
    assert {task.support.y.shape[1] for task in tasks} == {3, 4, 5, 6}
    for support, query in tasks:
        shots, queries = support.y.sum(0), query.y.sum(0)
        assert shots.min() >= 1
        assert (queries == queries[0]).all()
        both = torch.cat([support.x, query.x])[:, 0]
        assert len(both.unique()) == len(both)
    assert max(len(task.support.y) for task in tasks) > 3 * min(len(task.support.y) for task in tasks)
    again = VariedEpisodes(data, (3, 6)).sample(2, 3).tasks
    assert all(torch.equal(a.support.x, b.support.x) for a, b in zip(again, tasks, strict=False))


def test_larger_classes_have_more_shots_and_a_task_at_most_500():
    counts = np.array([1000, 100] * 25)
    draws = np.stack([shots_of(counts - 10, counts, np.random.default_rng(i)) for i in range(100)])
    assert draws.sum(1).max() <= 500
    assert draws[:, ::2].mean() > 4 * draws[:, 1::2].mean()


@pytest.mark.parametrize("make", [lambda: qs.Prototypical(qs.MLP(3, (4,), "tanh")), lambda: qs.R2D2(qs.MLP(3, (4,)))])
def test_a_step_on_unequal_tasks_is_the_mean_of_the_losses_one_by_one(data, make):
    torch.manual_seed(0)
    learner = make().double()
    tasks = VariedEpisodes(data, (3, 5))
    one_by_one = torch.stack([learner.meta_loss(task) for task in tasks.sample(1, 9).tasks]).mean()
    expected = torch.autograd.grad(one_by_one, list(learner.parameters()))
    before = [p.detach().clone() for p in learner.parameters()]
    [progress] = qs.train(learner, tasks, steps=1, tasks_per_step=9, optimizer=torch.optim.SGD(learner.parameters(), 1))
    assert progress.loss == pytest.approx(one_by_one.item(), rel=1e-12)
    for p, start, g in zip(learner.parameters(), before, expected, strict=True):
        torch.testing.assert_close(start - p, g, rtol=1e-9, atol=1e-12)


def test_tasks_of_one_size_are_computed_together_as_a_batch():
    batch = noise_tasks(qs.Prototypical(qs.MLP(3, (4,))), 4)
    [(numbers, group)] = UnequalTasks(tuple(batch.at(i) for i in range(4))).groups()
    assert numbers == [0, 1, 2, 3]
    assert all(torch.equal(a.x, b.x) and torch.equal(a.y, b.y) for a, b in zip(group, batch, strict=True))


def test_evaluation_is_that_of_each_task(data):
    torch.manual_seed(0)
    learner = qs.Prototypical(qs.MLP(3, (4,))).double().eval()
    tasks = VariedEpisodes(data, (3, 5), split="test")
    values = qs.evaluate(learner, tasks, n_tasks=13).values
    steps = [*tasks.sample(0, 10).tasks, *tasks.sample(1, 3).tasks]

    def accuracy(task: Task) -> float:
        return float((learner.adapt(task.support)(task.query.x).argmax(1) == task.query.y.argmax(1)).double().mean())

    assert values == pytest.approx([accuracy(task) for task in steps])


def test_a_bad_task_is_skipped(data):
    class OneBad(VariedEpisodes):
        def sample(self, step, n_tasks):
            first, *rest = super().sample(step, n_tasks).tasks
            bad = first.query._replace(x=first.query.x * torch.nan)
            return UnequalTasks((Task(first.support, bad), *rest))

    learner = qs.Prototypical(qs.MLP(3, (4,))).double()
    optimizer = torch.optim.SGD(learner.parameters(), 0.1)
    loop = qs.outer_loop(learner, OneBad(data), optimizer, steps=2, tasks_per_step=3, skip_bad_tasks=True)
    assert [p.skipped for p in loop] == [1, 2]


def test_what_cannot_be_is_refused(data):
    with pytest.raises(NotEnoughClasses, match="has 8 classes; lower the fewest"):
        VariedEpisodes(data, (9, 50))
    with pytest.raises(SettingError, match="fewest and the most"):
        VariedEpisodes(data, (5, 4))
    with pytest.raises(NotEnoughExamples, match="class 'b' has 1 example"):
        VariedEpisodes(qs.ClassDataset.from_labels(torch.zeros(3, 1), list("aab")), (1, 2))
