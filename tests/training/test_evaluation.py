import json
import math
import statistics
import warnings
from itertools import permutations

import pytest
import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import MAML, Learner, Predictor, Prototypical
from quickstudy.nets import MLP, Conv4, convert_norms
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.tasks.task import Examples, Task
from quickstudy.training.evaluation import Evaluation, assigned, evaluate, metric


def clouds(n_classes: int = 12, each: int = 8) -> ClassDataset:
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(n_classes, 1, 1, 16, 16, generator=draw).repeat(1, each, 1, 1, 1)
    x = (centres + 2 * torch.randn(centres.shape, generator=draw)).flatten(0, 1)
    return ClassDataset(x, torch.arange(n_classes).repeat_interleave(each), tuple(map(str, range(n_classes))))


@pytest.fixture
def tasks() -> Episodes:
    return Episodes(clouds(), n_way=4, n_shot=1, n_query=3, split="test")


@pytest.fixture
def learner() -> MAML:
    torch.manual_seed(0)
    return MAML(Conv4(size=16, width=4), 4, inner_lr=0.4)


def figures(result: Evaluation) -> tuple[object, ...]:
    return result.mean, result.ci95, result.median, result.values


def test_the_same_tasks_twice_give_the_same_figures(learner, tasks):
    assert figures(evaluate(learner, tasks, n_tasks=23)) == figures(evaluate(learner, tasks, n_tasks=23))


def test_more_tasks_go_on_where_fewer_ended(learner, tasks):
    few, many = (evaluate(learner, tasks, n_tasks=n) for n in (13, 25))
    assert (len(few.values), len(many.values)) == (13, 25)
    assert many.values[:13] == few.values


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("transductive", [None, True, False])
def test_the_learner_is_left_as_it_was(learner, tasks, training, transductive):
    learner.train(training)
    before = {name: tensor.clone() for name, tensor in learner.state_dict().items()}
    random = torch.get_rng_state()
    evaluate(learner, tasks, n_tasks=5, transductive=transductive)
    assert all(module.training == training for module in learner.modules())
    assert learner.transductive is False
    assert all(torch.equal(before[name], tensor) for name, tensor in learner.state_dict().items())
    assert all(p.grad is None for p in learner.parameters())
    assert torch.equal(random, torch.get_rng_state())


def test_the_learner_is_left_as_it_was_even_if_a_task_fails(learner):
    class Broken:
        def sample(self, step: int, n_tasks: int) -> Task:
            raise OSError

    learner.train()
    with pytest.raises(OSError):  # noqa: PT011
        evaluate(learner, Broken(), transductive=True)
    assert learner.training
    assert learner.transductive is False
    assert torch.is_grad_enabled()


def test_values_are_the_accuracies_of_the_tasks_one_by_one(learner, tasks):
    result = evaluate(learner, tasks, n_tasks=12)
    learner.eval()
    for i, value in enumerate(result.values):
        task = tasks.sample(i // 10, 10).at(i % 10)
        right = learner.adapt(task.support)(task.query.x).argmax(-1) == task.query.y.argmax(-1)
        assert value == pytest.approx(int(right.sum()) / 12)


def test_the_interval_is_1_96_standard_errors_of_the_mean(learner, tasks):
    result = evaluate(learner, tasks, n_tasks=30)
    assert result.mean == statistics.fmean(result.values)
    assert result.median == statistics.median(result.values)
    assert result.ci95 == pytest.approx(1.96 * statistics.stdev(result.values) / math.sqrt(30))


def test_about_95_of_100_intervals_hold_the_truth(tasks):
    class Guess(Learner):
        """Right with probability 1/4, by numbers that lie in the query."""

        def adapt(self, support: Examples) -> Predictor:
            def predict(x: Tensor) -> Tensor:
                guess = (x.flatten(1).sum(1) * 1e4).long() % 4
                return torch.nn.functional.one_hot(guess, 4).float()

            return predict

    def holds(seed: int) -> bool:
        source = Episodes(tasks.data, 4, 1, 3, seed=seed)
        result = evaluate(Guess(), source, n_tasks=40)
        return abs(result.mean - 0.25) <= result.ci95

    assert sum(holds(seed) for seed in range(60)) >= 51


def test_every_figure_says_whether_it_is_transductive(learner, tasks):
    inductive = evaluate(learner, tasks, n_tasks=20)
    transductive = evaluate(learner, tasks, n_tasks=20, transductive=True)
    assert (inductive.transductive, transductive.transductive) == (False, True)
    assert str(inductive).endswith("over 20 tasks, inductive")
    assert str(transductive).endswith("over 20 tasks, transductive")
    assert inductive.values != transductive.values
    own = MAML(learner.net, 4, transductive=True)
    assert evaluate(own, tasks, n_tasks=2).transductive
    assert not evaluate(own, tasks, n_tasks=2, transductive=False).transductive


def test_an_inductive_score_is_that_of_queries_asked_one_at_a_time(learner, tasks):
    class OneByOne(Prototypical):
        def adapt(self, support: Examples) -> Predictor:
            predict = super().adapt(support)
            return lambda x: torch.cat([predict(row) for row in x[:, None]])

    torch.manual_seed(0)
    together, alone = Prototypical(Conv4(size=16, width=4)), OneByOne(Conv4(size=16, width=4))
    together.observe(tasks.sample(0, 1).at(0).query.x)
    alone.load_state_dict(together.state_dict())
    assert evaluate(together, tasks, n_tasks=20).values == evaluate(alone, tasks, n_tasks=20).values


def test_regression_is_scored_by_its_squared_error():
    learner = MAML(MLP(1, (8,)), 1, inner_lr=0.01, loss="mse")
    source = Sinusoid(n_shot=5, n_query=7)
    result = evaluate(learner, source, n_tasks=11)
    assert result.metric == "mse"
    assert str(result).startswith("mse ")
    task = source.sample(0, 10).at(3)
    answers = learner.eval().adapt(task.support)(task.query.x)
    assert result.values[3] == pytest.approx(float(((answers - task.query.y) ** 2).mean().detach()))
    assert metric(answers, task.query.y, "mse").item() == pytest.approx(result.values[3])


def test_one_to_one_answers_are_the_best_of_all_that_give_each_class_as_many():
    scores = torch.randn(6, 3, generator=torch.Generator().manual_seed(0))
    found = assigned(scores)
    assert found.sum(0).tolist() == [2, 2, 2]
    assert found.sum(1).tolist() == [1] * 6
    best = max(sum(scores[i, k].item() for i, k in enumerate(dealt)) for dealt in set(permutations([0, 0, 1, 1, 2, 2])))
    assert (found * scores).sum().item() == pytest.approx(best)
    assert torch.equal(assigned(scores[[3, 0, 5, 1, 4, 2]]), found[[3, 0, 5, 1, 4, 2]])


def test_one_to_one_is_transductive_and_no_worse_where_tests_are_so(tasks):
    torch.manual_seed(0)
    learner = Prototypical(Conv4(size=16, width=4))
    learner.observe(tasks.sample(0, 9).query.x.flatten(0, 1))
    alone, together = (evaluate(learner, tasks, n_tasks=60, one_to_one=kind) for kind in (False, True))
    assert (alone.transductive, together.transductive) == (False, True)
    assert together.mean > alone.mean


def test_queries_that_cannot_be_dealt_out_are_refused():
    with pytest.raises(SettingError, match="5 queries cannot be divided equally among 2 classes"):
        assigned(torch.zeros(5, 2))


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_a_task_that_diverged_is_reported_not_a_failure(value):
    class Diverges(Learner):
        loss = "mse"

        def adapt(self, support: Examples) -> Predictor:
            return lambda x: x + torch.where(support.x[0] > 3, value, 0)

    result = evaluate(Diverges(), Sinusoid(), n_tasks=40)
    assert result.mean != result.mean or result.mean == math.inf
    assert math.isnan(result.ci95)
    assert 0 < sum(math.isfinite(v) for v in result.values) < 40


def test_a_summary_is_all_but_the_single_values(learner, tasks):
    summary = evaluate(learner, tasks, n_tasks=3).summary()
    assert summary.keys() == {"metric", "mean", "ci95", "median", "n_tasks", "transductive", "seconds_per_adaptation"}
    assert summary["seconds_per_adaptation"] > 0


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_summary_is_strict_json_even_where_tasks_diverged(value):
    result = Evaluation("mse", value, value, 0.5, 2, False, 0.1, (0.5, value))
    summary = json.loads(json.dumps(result.summary(), allow_nan=False))
    assert summary["mean"] is None
    assert summary["median"] == 0.5


def test_an_interval_needs_two_tasks(learner, tasks):
    with pytest.raises(SettingError, match="n_tasks=1"):
        evaluate(learner, tasks, n_tasks=1)


class Drifting(Learner):
    """Answers NaN in tasks whose support's mean is above a number."""

    loss = "mse"

    def adapt(self, support: Examples) -> Predictor:
        return lambda x: x.where(support.x.mean() < 0.5, math.nan)


def test_a_task_that_diverged_to_nan_is_the_worst_and_not_the_middle():
    found = evaluate(Drifting(), Sinusoid(seed=1), n_tasks=51)
    finite = sorted(value for value in found.values if not math.isnan(value))
    assert 26 <= len(finite) < 51
    assert found.median == finite[25]


class Ways:
    """Clouds of images, three ways."""

    def sample(self, step: int, n_tasks: int) -> Task:
        draw = torch.Generator().manual_seed(step)
        x = torch.randn(n_tasks, 9, 1, 6, 6, generator=draw)
        y = torch.eye(3).repeat(n_tasks, 3, 1)
        return Task(Examples(x[:, :3], y[:, :3]), Examples(x[:, 3:], y[:, 3:]))


def by_batch(kind: type[nn.Module] = nn.BatchNorm2d, **how: bool) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3), kind(4, **how), nn.Flatten(), nn.Linear(64, 5))
    net.out_features = 5
    return net


@pytest.mark.parametrize("make", [lambda net: MAML(net, 3), Prototypical])
def test_no_figure_is_called_inductive_where_queries_normalise_each_other(make):
    learner = make(by_batch(track_running_stats=False))
    with pytest.warns(UserWarning, match=r"depends on the other queries.*convert_norms"):
        told = evaluate(learner, Ways(), n_tasks=4)
    assert told.transductive
    assert not learner.transductive
    converted = make(convert_norms(learner.net))
    converted.observe(Ways().sample(9, 5).query.x.flatten(0, 1))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not evaluate(converted, Ways(), n_tasks=4).transductive
        assert not evaluate(
            make(by_batch(nn.InstanceNorm2d, affine=True)), Ways(), n_tasks=4, engine="loop"
        ).transductive


def test_an_engine_is_a_choice_and_changes_no_figure():
    learner = MAML(by_batch(nn.InstanceNorm2d), 3)
    figures = [evaluate(learner, Ways(), n_tasks=12, engine=how).values for how in ("auto", "vmap", "loop")]
    assert figures[0] == figures[1] == figures[2]


def test_a_net_that_draws_random_numbers_when_it_answers_is_evaluated_from_seeds():
    class Noisy(nn.Module):
        out_features = 4

        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Linear(36, 4)

        def forward(self, x: Tensor) -> Tensor:
            return nn.functional.dropout(self.layer(x.flatten(1)), 0.5, training=True)

    learner = Prototypical(Noisy())
    before = torch.get_rng_state()
    first = evaluate(learner, Ways(), n_tasks=12).values
    torch.rand(3)
    assert evaluate(learner, Ways(), n_tasks=12).values == first
    assert evaluate(learner, Ways(), n_tasks=2).values == first[:2]
    torch.set_rng_state(before)


def test_an_answer_that_is_nan_is_wrong():
    answers = torch.tensor([[[torch.nan, torch.nan], [2.0, 1.0]]])
    assert metric(answers, torch.tensor([[[1.0, 0.0], [1.0, 0.0]]]), "cross_entropy").tolist() == [0.5]


@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("shape", [(4,), (4, 1), (1, 3), (4, 3, 1)])
def test_answers_of_another_shape_than_the_targets_are_refused(loss, shape):
    class Odd(Learner):
        def adapt(self, support: Examples) -> Predictor:
            return lambda x: torch.zeros(shape)

    learner = Odd()
    learner.loss = loss
    part = Examples(torch.zeros(2, 4, 6), torch.eye(3).repeat(2, 1)[:4].expand(2, 4, 3))

    class Twice:
        def sample(self, step: int, n_tasks: int) -> Task:
            return Task(part, part)

    with pytest.raises(SettingError, match=r"answers have shape .* for targets \[2, 4, 3\]; return"):
        evaluate(learner, Twice(), n_tasks=2)


def test_tasks_without_queries_are_refused(learner):
    tasks = Episodes(clouds(), n_way=4, n_shot=1, n_query=0, split="test")
    with pytest.raises(SettingError, match="no queries"):
        evaluate(learner, tasks, n_tasks=2)
