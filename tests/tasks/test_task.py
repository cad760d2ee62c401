"""Tasks of unequal ways are computed by their own ways, whatever form their targets have."""

import pytest
import torch

import quickstudy as qs
from quickstudy.errors import DataError
from quickstudy.learners import LEARNERS, Learner
from quickstudy.nets import MLP
from quickstudy.tasks.task import Examples, Task, UnequalTasks, grouped, with_rows
from tests.each import each_learner


def task(n_way: int, n_shot: int, n_query: int, seed: int) -> Task:
    draw = torch.Generator().manual_seed(seed)
    centres = 4 * torch.randn(n_way, 8, generator=draw)

    def part(n: int) -> Examples:
        y = torch.arange(n_way).repeat(n)
        return Examples(centres[y] + torch.randn(len(y), 8, generator=draw), y)

    return Task(part(n_shot), part(n_query))


class TwoSizes:
    """Tasks of 2 and of 3 ways whose inputs and class indices have equal shapes."""

    def __init__(self, as_rows: bool) -> None:
        self.as_rows = as_rows

    def sample(self, step: int, n_tasks: int) -> UnequalTasks:
        tasks = [task(*((2, 3, 6) if i % 2 else (3, 2, 4)), 100 * step + i) for i in range(n_tasks)]
        if self.as_rows:
            tasks = [Task(*(Examples(x, torch.eye(2 + (i + 1) % 2)[y]) for x, y in t)) for i, t in enumerate(tasks)]
        return UnequalTasks(tuple(tasks))


def made(name: str) -> Learner:
    torch.manual_seed(0)
    cls = LEARNERS[name]
    more: dict[str, object] = {} if "n_way" not in cls.__init__.__annotations__ else {"n_way": 3}
    return cls(qs.MLP(8, (16,), "tanh"), **more).double()


EPISODIC = [name for name in LEARNERS if LEARNERS[name].episodic and name != "nearest-pixels"]


@pytest.mark.parametrize("name", each_learner(EPISODIC))
def test_a_step_on_class_indices_of_unequal_ways_is_that_on_rows_and_of_each_task_alone(name):
    after = []
    for as_rows in (True, False):
        learner = made(name)
        learner.anneal(0)  # as the loop does before its first step
        before = [p.detach().clone() for p in learner.parameters()]
        one_by_one = torch.stack([learner.meta_loss(each) for each in TwoSizes(as_rows).sample(1, 4).tasks]).mean()
        optimizer = torch.optim.SGD(learner.parameters(), 0.1)
        [step] = qs.train(learner, TwoSizes(as_rows), steps=1, tasks_per_step=4, optimizer=optimizer)
        assert step.loss == pytest.approx(one_by_one.item(), rel=1e-6)
        after.append([step.loss, *learner.parameters()])
        assert any(not torch.equal(p, start) for p, start in zip(learner.parameters(), before, strict=True))
    torch.testing.assert_close(after[0], after[1])


@pytest.mark.parametrize("name", each_learner(EPISODIC))
def test_an_evaluation_on_class_indices_of_unequal_ways_is_that_on_rows(name):
    on_rows, on_indices = (qs.evaluate(made(name), TwoSizes(as_rows), n_tasks=8).values for as_rows in (True, False))
    assert on_rows == on_indices


def test_tasks_of_unequal_ways_are_never_one_batch():
    groups = TwoSizes(as_rows=False).sample(0, 5).groups()
    assert [(numbers, group.query.y.shape[-1]) for numbers, group in groups] == [([0, 2, 4], 3), ([1, 3], 2)]


def test_class_indices_are_no_real_targets_in_unequal_tasks_too():
    learner = qs.R2D2(qs.MLP(8, (4,)), loss="mse")
    with pytest.raises(DataError, match="real targets are"):
        qs.train(learner, TwoSizes(as_rows=False), steps=1, tasks_per_step=2)


def test_indices_beside_rows_have_the_width_of_the_rows():
    rows, indices = (
        Examples(torch.zeros(6, 4), torch.eye(3).repeat(2, 1)),
        Examples(torch.zeros(2, 4), torch.tensor([0, 1])),
    )
    for parts in ((rows, indices), (Examples(rows.x, rows.y.long()), indices)):
        support, query = with_rows(*parts)
        torch.testing.assert_close(support.y, rows.y)
        torch.testing.assert_close(query.y, torch.eye(3)[:2])
    with pytest.raises(DataError, match="class index 3, but the rows have 3 classes"):
        with_rows(rows, Examples(torch.zeros(2, 4), torch.tensor([0, 3])))


def test_a_column_of_class_indices_is_refused():
    with pytest.raises(DataError, match=r"class indices have shape \[6, 1\], .* y.squeeze\(-1\)"):
        qs.Prototypical(MLP(4)).adapt(Examples(torch.zeros(6, 4), torch.arange(3).repeat(2)[:, None]))


def test_no_tasks_are_no_groups():
    empty = Examples(torch.zeros(0, 6, 4), torch.zeros(0, 6, dtype=torch.int64))
    assert grouped(Task(empty, empty)) == []
