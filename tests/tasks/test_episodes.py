import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.errors import NotEnoughClasses, NotEnoughExamples, SettingError
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.inputs.warp import warped
from quickstudy.learners import Learner, Predictor
from quickstudy.tasks.episodes import Batches, Episodes, generator
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.tasks.task import Examples, Task
from quickstudy.training.evaluation import evaluate

LAW = settings(max_examples=60, deadline=None)


def numbered(counts: list[int]) -> ClassDataset:
    """Images of 2x2 pixels that tell their row, and how they were turned: 4 * row + [[0, 1], [2, 3]]."""
    x = 4 * torch.arange(sum(counts)).view(-1, 1, 1, 1) + torch.tensor([[0, 1], [2, 3]])
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    return ClassDataset(x.float(), y, tuple(f"class {k}" for k in range(len(counts))))


def glyphs() -> torch.Tensor:
    return as_float(draw_glyphs(range(4), 2).x)


def rows(x: torch.Tensor) -> torch.Tensor:
    return (x.amin((-3, -2, -1)) / 4).long()


def turns(x: torch.Tensor) -> torch.Tensor:
    """Quarter turns, from the place of the smallest pixel: rot90 moves it down the left side first."""
    return torch.tensor([0, 3, 1, 2])[x.flatten(-3).argmin(-1)]


def tensors(task: Task) -> list[torch.Tensor]:
    return [*task.support, *task.query]


@st.composite
def episodes(draw: st.DrawFn) -> Episodes:
    """Of unequal classes, and shots that may be unequal too."""
    n_way, n_query = draw(st.integers(1, 5)), draw(st.integers(0, 3))
    shots = draw(st.one_of(st.integers(1, 3), st.lists(st.integers(1, 4), min_size=n_way, max_size=n_way)))
    need = (shots if isinstance(shots, int) else max(shots)) + n_query
    counts = draw(st.lists(st.integers(need, need + 4), min_size=n_way, max_size=n_way + 3))
    seed, rotate = draw(st.integers(0, 2**32)), draw(st.booleans())
    return Episodes(numbered(counts), n_way, shots, n_query, seed=seed, rotate=rotate)


@LAW
@given(source=episodes(), step=st.integers(0, 10**6), n=st.integers(1, 4), more=st.integers(1, 4))
def test_a_task_depends_on_seed_split_step_and_its_number_alone(source, step, n, more):
    again = Episodes(source.data, source.n_way, source.shots.tolist(), source.n_query, seed=source.seed)
    again.rotate = source.rotate
    for few, many in zip(tensors(source.sample(step, n)), tensors(again.sample(step, n + more)), strict=True):
        assert torch.equal(few, many[:n])


@LAW
@given(source=episodes(), step=st.integers(0, 100))
def test_support_and_query_are_distinct_examples_of_one_distinct_class_a_position(source, step):
    (sx, sy), (qx, qy) = source.sample(step, 2)
    for i in range(2):
        drawn = torch.cat([rows(sx[i]), rows(qx[i])])
        assert len(drawn.unique()) == len(drawn)
        position = torch.cat([sy[i], qy[i]]).argmax(-1)
        classes = [set(source.data.y[drawn[position == k]].tolist()) for k in range(source.n_way)]
        assert all(len(each) == 1 for each in classes)
        assert len(set.union(*classes)) == source.n_way


@LAW
@given(source=episodes())
def test_labels_are_one_hot_and_every_class_gets_its_shots_and_queries(source):
    task = source.sample(0, 3)
    for y in (task.support.y, task.query.y):
        assert ((y == 0) | (y == 1)).all()
        assert (y.sum(-1) == 1).all()
    dealt = task.support.y.sum(1).sort().values
    assert torch.equal(dealt, torch.tensor(sorted(source.shots)).float().expand(3, -1))
    assert (task.query.y.sum(1) == source.n_query).all()


@LAW
@given(source=episodes())
def test_a_class_is_turned_alike_in_support_and_query_and_only_when_asked(source):
    (sx, sy), (qx, qy) = source.sample(0, 2)
    for i in range(2):
        position, turned = torch.cat([sy[i], qy[i]]).argmax(-1), turns(torch.cat([sx[i], qx[i]]))
        assert all(len(turned[position == k].unique()) == 1 for k in range(source.n_way))
        assert source.rotate or (turned == 0).all()


def test_turns_are_the_four_quarters_alike_and_turned_images_are_rotated_ones():
    data = numbered([5] * 6)
    x = Episodes(data, 5, 1, 2, rotate=True).sample(0, 200).query.x
    share = torch.bincount(turns(x).flatten()) / turns(x).numel()
    assert (share - 0.25).abs().max() < 0.05
    for image in x[0]:
        original = data.x[rows(image)]
        assert torch.equal(image, torch.rot90(original, int(turns(image)), (-2, -1)))


def test_unequal_shots_fall_on_any_class_and_position():
    task = Episodes(numbered([9] * 3), 3, [1, 2, 6], 1).sample(0, 60)
    most = task.support.y.sum(1).argmax(-1)
    assert set(most.tolist()) == {0, 1, 2}
    assert task.support.x.shape[1] == 9


def test_every_class_example_and_position_comes_up_about_equally_often():
    source = Episodes(numbered([4, 8, 6]), 2, 1, 2)
    (sx, _), (qx, _) = source.sample(0, 3000)
    label = source.data.y[rows(sx)]
    assert torch.all((torch.bincount(label.flatten()) / 6000 - 1 / 3).abs() < 0.03)
    assert torch.all((torch.bincount(label[:, 0]) / 3000 - 1 / 3).abs() < 0.03)  # a position means nothing
    seen = torch.bincount(torch.cat([rows(sx), rows(qx)], 1).flatten(), minlength=18)
    expected = 3 * 2000 / torch.tensor([4.0] * 4 + [8.0] * 8 + [6.0] * 6)
    assert (seen / expected - 1).abs().max() < 0.15


def test_another_seed_split_step_or_number_draws_another_task():
    data = numbered([30] * 30)
    sources = [Episodes(data, seed=seed, split=split) for seed in (0, 1) for split in ("train", "test")]
    tasks = [source.sample(step, 2).at(i) for source in sources for step in (0, 1) for i in (0, 1)]
    assert len({tuple(rows(task.support.x).tolist()) for task in tasks}) == len(tasks) == 16


def test_the_same_classes_come_with_other_support_examples():
    source = Episodes(numbered([20, 20]), 2, 1, 1)
    assert len({tuple(rows(source.sample(step, 1).support.x[0]).tolist()) for step in range(20)}) > 10


def test_any_run_of_support_rows_is_about_balanced():
    y = Episodes(numbered([9] * 5), 5, 4, 1).sample(0, 1).support.y[0]
    for first in range(0, 20, 5):
        assert (y[first : first + 5].sum(0) == 1).all()


class Constant(Learner):
    """Always says the first class."""

    def adapt(self, support: Examples) -> Predictor:
        return lambda x: x.new_zeros(len(x), support.y.shape[-1])


class FavouriteClass(Learner):
    """Says the position of the largest support image: of one class of the data set, wherever it stands."""

    def adapt(self, support: Examples) -> Predictor:
        return lambda x: support.y[support.x.flatten(1).sum(1).argmax()].expand(len(x), -1)


@pytest.mark.parametrize("n_way", [2, 5])
@pytest.mark.parametrize("learner", [Constant(), FavouriteClass()], ids=["position", "class"])
def test_a_learner_that_always_says_the_same_scores_one_in_n_way(learner, n_way):
    result = evaluate(learner, Episodes(numbered([6] * 8), n_way, 1, 3), n_tasks=50)
    assert abs(result.mean - 1 / n_way) <= result.ci95 + 1e-6


def test_images_come_out_as_floats_in_0_1_and_vectors_as_they_are():
    images = ClassDataset.from_labels(torch.full((4, 1, 3, 3), 255, dtype=torch.uint8), list("aabb"))
    task = Episodes(images, 2, 1, 1).sample(0, 1)
    assert {t.dtype for t in tensors(task)} == {torch.float32}
    assert (task.support.x == 1).all()
    assert torch.equal(as_float(torch.tensor([-3.5])), torch.tensor([-3.5]))
    vectors = Episodes(ClassDataset.from_labels(torch.randn(4, 7), list("aabb")), 2, 1, 1).sample(0, 3)
    assert vectors.query.x.shape == (3, 2, 7)


def test_the_data_is_left_as_it_was():
    data = numbered([5, 5])
    before = data.x.clone()
    source = Episodes(data, 2, 1, 2, rotate=True)
    task = source.sample(0, 5)
    task.support.x.zero_()
    assert torch.equal(data.x, before)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state(), np.random.get_state()[2]  # noqa: NPY002
    Episodes(numbered([5, 5]), 2, rotate=True, n_query=2).sample(0, 3)
    Batches(numbered([5, 5])).sample(0, 3)
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[2]  # noqa: NPY002


def test_classes_of_a_task_are_of_one_group_and_every_group_that_is_large_enough_has_its_turn():
    within = list("aababcb")
    task = Episodes(numbered([3] * 7), 3, 1, 1, within=within).sample(0, 60)
    assert torch.equal(task.support.y.sum(1), torch.ones(60, 3))
    drawn = [{within[row // 3] for row in rows(x).tolist()} for x in task.support.x]
    assert {*map(frozenset, drawn)} == {frozenset("a"), frozenset("b")}
    with pytest.raises(NotEnoughClasses, match=r"a group of the .* split has at most 3 classes"):
        Episodes(numbered([3] * 7), 5, 1, 1, within=list("aababcc"))
    one = Episodes(numbered([3] * 7), 3, 1, 1, within=["a"] * 7).sample(2, 5)
    assert all(map(torch.equal, tensors(one), tensors(Episodes(numbered([3] * 7), 3, 1, 1).sample(2, 5))))


def test_each_image_is_warped_in_a_way_of_its_own_and_of_its_task():
    data = ClassDataset.from_labels(glyphs()[:1].mul(255).byte().repeat(8, 1, 1, 1), list("aaaabbbb"))
    source = Episodes(data, 2, 2, 2, warp=True)
    task = source.sample(3, 2)
    every = torch.cat([task.support.x, task.query.x], 1).flatten(0, 1).flatten(1)
    assert len(every.unique(dim=0)) == len(every) == 16
    assert torch.equal(source.sample(3, 5).query.x[:2], task.query.x)
    plain = Episodes(data, 2, 2, 2).sample(3, 2)
    assert torch.equal(plain.support.y, task.support.y)


def test_each_image_of_a_plain_batch_is_warped_in_a_way_of_its_own():
    data = ClassDataset.from_labels(glyphs()[:1].mul(255).byte().repeat(4, 1, 1, 1), list("aabb"))
    source = Batches(data, 6, warp=True)
    task = source.sample(3, 2)
    assert len(task.query.x.flatten(0, 1).flatten(1).unique(dim=0)) == 12
    assert torch.equal(source.sample(3, 5).query.x[:2], task.query.x)
    assert torch.equal(Batches(data, 6).sample(3, 2).query.y, task.query.y)


def photographs(per_class: int) -> ClassDataset:
    x = torch.randint(256, (1, 3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    return ClassDataset.from_labels(x.repeat(2 * per_class, 1, 1, 1), ["a"] * per_class + ["b"] * per_class)


@pytest.mark.parametrize("warp", [False, True])
def test_each_photograph_is_augmented_in_a_way_of_its_own_and_of_its_task(warp):
    episodes, batches = (
        Episodes(photographs(4), 2, 2, 2, augment=True, warp=warp),
        Batches(photographs(2), 6, augment=True, warp=warp),
    )
    for source in (episodes, batches):
        task = source.sample(3, 2)
        every = torch.cat([task.support.x, task.query.x], 1).flatten(0, 1).flatten(1)
        assert len(every.unique(dim=0)) == len(every) >= 12
        assert torch.equal(source.sample(3, 5).query.x[:2], task.query.x)
        assert not torch.equal(source.sample(4, 2).query.x, task.query.x)
    plain = Episodes(photographs(4), 2, 2, 2).sample(3, 2)
    assert torch.equal(plain.support.y, episodes.sample(3, 2).support.y)
    assert Episodes(photographs(4), 2, 2, 0, augment=True, warp=warp).sample(0, 1).query.x.shape[1] == 0


def test_a_warp_alone_draws_seven_numbers_an_image():
    """Tasks of runs by earlier versions stay as they were."""
    alone = Batches(photographs(2), 6, warp=True).sample(3, 1).query.x[0, 0]
    numbers = generator(0, "train", 3, 0)
    rows = numbers.integers(4, size=6)
    by = torch.from_numpy(numbers.uniform(-1, 1, (6, 7))).float()
    assert torch.allclose(warped(photographs(2).x[rows] / 255, by)[0], alone, atol=1e-6)


@LAW
@given(counts=st.lists(st.integers(1, 5), min_size=1, max_size=5), size=st.integers(1, 9), n=st.integers(1, 4))
def test_plain_batches_name_each_example_by_its_class_and_hold_no_support(counts, size, n):
    data = numbered(counts)
    task = Batches(data, size, seed=3).sample(7, n)
    assert task.query.y.shape == (n, size, len(counts))
    assert torch.equal(task.query.y.argmax(-1), data.y[rows(task.query.x)])
    assert task.support.x.shape[1] == task.support.y.shape[1] == 0
    assert torch.equal(Batches(data, size, seed=3).sample(7, n + 2).query.x[:n], task.query.x)


@pytest.mark.parametrize(
    ("ask", "error", "says"),
    [
        ({"n_way": 4}, NotEnoughClasses, ["n_way=4", "3 classes"]),
        ({"n_way": 2, "n_shot": 2, "n_query": 3}, NotEnoughExamples, ["'class 1' has 4", "n_shot=2", "n_query=3", "5"]),
        ({"n_way": 2, "n_shot": [1, 5], "n_query": 0}, NotEnoughExamples, ["n_shot=5", "'class 1' has 4"]),
        ({"n_way": 0}, SettingError, ["n_way=0"]),
        ({"n_way": 2, "n_shot": 0}, SettingError, ["n_shot=0"]),
        ({"n_way": 2, "n_query": -1}, SettingError, ["n_query=-1"]),
        ({"n_way": 2, "n_shot": [1, 1, 1]}, SettingError, ["n_shot=[1, 1, 1]"]),
    ],
)
def test_what_cannot_be_drawn_is_refused_in_one_line_with_its_numbers(ask, error, says):
    with pytest.raises(error) as caught:
        Episodes(numbered([6, 4, 9]), **ask)
    assert "\n" not in str(caught.value)
    assert all(words in str(caught.value) for words in says)


@pytest.mark.parametrize(
    ("change", "shape", "line"),
    [
        ("rotate", (3,), "rotate = True: inputs of shape (3,) are no square images; leave it out"),
        ("rotate", (1, 3, 4), "rotate = True: inputs of shape (1, 3, 4) are no square images; leave it out"),
        ("warp", (3,), "warp = True: inputs of shape (3,) are no images (channels, height, width); leave it out"),
        ("augment", (3,), "augment = True: inputs of shape (3,) are no colour images; leave it out"),
    ],
)
def test_a_change_of_images_refuses_other_inputs_in_a_line(change, shape, line):
    data = ClassDataset.from_labels(torch.rand(6, *shape), list("aabbcc"))
    sources = [Episodes(data, 3, 1, 1, **{change: True})]  # with as many rows as numbers, turning would be silent
    sources += [Batches(data, 3, **{change: True})] if change != "rotate" else []
    for source in sources:
        with pytest.raises(SettingError) as refused:
            source.sample(0, 1)
        assert str(refused.value) == line


def test_a_task_without_queries_can_be_warped():
    data = ClassDataset.from_labels(glyphs()[:1].mul(255).byte().repeat(4, 1, 1, 1), list("aabb"))
    assert Episodes(data, 2, 2, 0, warp=True).sample(0, 1).query.x.shape == (1, 0, 1, 28, 28)


class TestUnbalanced:
    """Class shares of a task's queries, drawn from a Dirichlet distribution."""

    data = ClassDataset.from_labels(torch.arange(8.0 * 40)[:, None], [str(i // 40) for i in range(8 * 40)])

    def tasks(self, unbalanced, n_query=5, **more):
        return Episodes(self.data, 4, 2, n_query, unbalanced=unbalanced, **more)

    def test_shares_average_to_uniform_and_spread_as_the_distribution(self):
        shares = self.tasks(2.0).sample(0, 800).query.y.mean(1)
        torch.testing.assert_close(shares.mean(0), torch.full((4,), 0.25), rtol=0, atol=0.02)
        # The variance of a share of a Dirichlet distribution is a (A - a) / (A^2 (A + 1)), with A the sum of all a.
        assert abs(float(shares.var(0).mean()) - 2 * 6 / (64 * 9)) < 0.004

    def test_the_number_of_queries_and_the_support_stay(self):
        balanced, unbalanced = (self.tasks(a).sample(3, 50) for a in (None, 2.0))
        assert unbalanced.query.y.shape == balanced.query.y.shape
        assert torch.equal(unbalanced.support.x, balanced.support.x)
        assert torch.equal(unbalanced.query.y.sum(-1), torch.ones(50, 20))
        both = torch.cat([unbalanced.support.x, unbalanced.query.x], 1)[..., 0]
        assert all(len(row.unique()) == len(row) for row in both)

    def test_a_task_is_a_function_of_its_numbers(self):
        first, second = self.tasks(2.0).sample(5, 3), self.tasks(2.0).sample(5, 7)
        assert torch.equal(first.query.x, second.query.x[:3])
        assert not torch.equal(first.query.x, self.tasks(2.0, seed=1).sample(5, 3).query.x)

    def test_a_class_gives_no_more_than_it_has(self):
        counts = self.tasks(0.1, n_query=30).sample(0, 100).query.y.sum(1)
        assert counts.sum(1).tolist() == [120.0] * 100
        assert counts.max() == 38

    def test_a_parameter_that_is_none_is_refused(self):
        for wrong in (0, -1.0, math.inf, math.nan):
            with pytest.raises(SettingError, match="is not above 0; 2 is usual"):
                self.tasks(wrong)
