import copy
import math

import pytest
import torch
from torch import Tensor, nn

from quickstudy.errors import QuickstudyError, SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import (
    ANIL,
    IMAML,
    LRD2,
    MAML,
    R2D2,
    Baseline,
    CosineBaseline,
    InContext,
    Learner,
    MAMLPlusPlus,
    Matching,
    MetaOptNet,
    MetaSGD,
    Predictor,
    ProtoMAML,
    Prototypical,
    Relation,
    Reptile,
    Siamese,
    SimpleShot,
)
from quickstudy.learners.draws import seeded
from quickstudy.nets import MLP, BatchNorm, Conv4
from quickstudy.tasks.episodes import Batches, Episodes
from quickstudy.tasks.task import Examples, Task, TaskSource
from quickstudy.training.evaluation import evaluate
from quickstudy.training.outer import DivergedError, Progress, State, outer_loop
from tests.each import each_learner


def clouds(n_classes: int = 12, each: int = 8) -> ClassDataset:
    draw = torch.Generator().manual_seed(0)
    centres = torch.randn(n_classes, 1, 6, generator=draw).repeat(1, each, 1)
    x = (centres + torch.randn(centres.shape, generator=draw)).flatten(0, 1)
    return ClassDataset(x, torch.arange(n_classes).repeat_interleave(each), tuple(map(str, range(n_classes))))


def net() -> MLP:
    torch.manual_seed(0)
    return MLP(6, (8,))


def loop(learner: Learner, tasks: TaskSource, lr: float = 0.01, **options: object) -> list[Progress]:
    return list(outer_loop(learner, tasks, torch.optim.Adam(learner.parameters(), lr=lr), **options))


EPISODES = Episodes(clouds(), n_way=3, n_shot=2, n_query=3)
LEARNERS = {
    "maml": lambda: MAML(net(), 3, inner_lr=0.1),
    "reptile": lambda: Reptile(net(), 3, inner_lr=0.1, inner_rule="sgd", inner_batch=3, test_steps=5),
    "anil": lambda: ANIL(net(), 3, inner_lr=0.1),
    "meta-sgd": lambda: MetaSGD(net(), 3),
    "maml++": lambda: MAMLPlusPlus(net(), 3),
    "imaml": lambda: IMAML(net(), 3),
    "proto-maml": lambda: ProtoMAML(net(), 3),
    "siamese": lambda: Siamese(net()),
    "matching": lambda: Matching(net()),
    "prototypical": lambda: Prototypical(net()),
    "relation": lambda: Relation(net()),
    "r2d2": lambda: R2D2(net()),
    "lrd2": lambda: LRD2(net()),
    "metaoptnet": lambda: MetaOptNet(net()),
    "in-context": lambda: InContext(net()),
    "baseline": lambda: Baseline(net(), 12, head_steps=10),
    "cosine-baseline": lambda: CosineBaseline(net(), 12, head_steps=10),
    "simple-shot": lambda: SimpleShot(net(), 12),
}


@pytest.mark.parametrize("name", each_learner(LEARNERS))
def test_a_run_lowers_the_loss_and_makes_new_tasks_easier(name):
    learner = LEARNERS[name]()
    tasks = EPISODES if learner.episodic else Batches(clouds(), 32)
    new = Episodes(clouds(), n_way=3, n_shot=2, n_query=3, split="test")
    before = evaluate(learner, new, n_tasks=60).mean
    progress = loop(learner, tasks, lr=0.02, steps=60, tasks_per_step=4)
    assert [p.step for p in progress] == list(range(1, 61))
    first, last = (sum(p.loss for p in part) for part in (progress[:10], progress[-10:]))
    assert last < first or name == "reptile"  # whose loss is a distance between weights, which may grow
    assert evaluate(learner, new, n_tasks=60).mean > before


@pytest.mark.parametrize("name", each_learner(LEARNERS))
def test_the_same_run_twice_ends_in_the_same_bits(name):
    learners = [LEARNERS[name]() for _ in range(2)]
    tasks = EPISODES if learners[0].episodic else Batches(clouds(), 32)
    for i, learner in enumerate(learners):
        torch.manual_seed(i)  # the global random state has no say
        loop(learner, tasks, steps=5, tasks_per_step=2, validation=EPISODES, validate_every=2, validation_tasks=2)
    for a, b in zip(learners[0].state_dict().values(), learners[1].state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    learner = Prototypical(MLP(6, (8,)))
    torch.set_rng_state(before)
    loop(learner, EPISODES, steps=2, validation=EPISODES, validation_tasks=2)
    assert torch.equal(before, torch.get_rng_state())


class Target:
    """Tasks whose answer is always one number."""

    def __init__(self, value: float) -> None:
        self.value = value

    def sample(self, step: int, n_tasks: int) -> Task:
        part = Examples(torch.zeros(n_tasks, 1, 1), torch.full((n_tasks, 1, 1), self.value))
        return Task(part, part)


class Number(Learner):
    """Learns one number, w."""

    loss = "mse"

    def __init__(self, w: float = 0.0) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def adapt(self, support: Examples) -> Predictor:
        return lambda x: self.w.expand(len(x), 1)


class Walk(Number):
    """One step of the outer loop at rate 1 moves w by one."""

    def meta_loss(self, task: Task) -> Tensor:
        return -self.w


def walk(steps: int = 10, **options: object) -> tuple[Walk, list[Progress]]:
    learner = Walk()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    return learner, list(outer_loop(learner, Target(0), optimizer, steps=steps, validation_tasks=2, **options))


def test_a_learner_hears_how_far_training_has_come():
    heard: list[float] = []

    class Listener(Walk):
        def anneal(self, progress: float) -> None:
            heard.append(progress)

    learner = Listener()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    list(outer_loop(learner, Target(0), optimizer, steps=4))
    list(outer_loop(learner, Target(0), optimizer, steps=4, state=State(step=2)))
    assert heard == [0, 0.25, 0.5, 0.75, 0.5, 0.75]


def test_what_did_best_on_validation_remains():
    learner, progress = walk(validation=Target(4.2), validate_every=1)
    assert learner.w.item() == 4
    assert [p.step for p in progress if p.best] == [1, 2, 3, 4]
    assert [round(p.validation.mean, 2) for p in progress[:3]] == [10.24, 4.84, 1.44]


def test_validation_comes_at_its_interval_and_at_the_end():
    _, progress = walk(steps=11, validation=Target(99), validate_every=4)
    assert [p.step for p in progress if p.validation is not None] == [4, 8, 11]


def test_without_validation_the_last_weights_remain_and_are_called_best():
    learner, progress = walk()
    assert learner.w.item() == 10
    assert [p.step for p in progress if p.best] == [10]


def test_patience_stops_after_so_many_validations_without_a_better_one():
    learner, progress = walk(steps=50, validation=Target(3), validate_every=2, patience=3)
    assert [p.validation.mean for p in progress if p.validation] == [1, 1, 9, 25]
    assert progress[-1].step == 8
    assert learner.w.item() == 2


def test_a_better_one_renews_patience():
    class Wavers(Walk):
        def adapt(self, support: Examples) -> Predictor:
            error = [9.0, 5.0, 6.0, 4.0, 7.0, 3.0, 8.0, 8.0, 1.0][round(self.w.item()) - 1]
            return lambda x: torch.full((len(x), 1), error)

    learner = Wavers()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    options = {"validation": Target(0), "validate_every": 1, "validation_tasks": 2, "patience": 2}
    progress = list(outer_loop(learner, Target(0), optimizer, steps=9, **options))
    assert [p.step for p in progress if p.best] == [1, 2, 4, 6]
    assert progress[-1].step == 8
    assert learner.w.item() == 6


def test_a_validation_that_is_nan_is_never_the_best():
    class StartsWithNaN(Walk):
        def adapt(self, support: Examples) -> Predictor:
            return lambda x: torch.where(self.w > 2, self.w, torch.nan).expand(len(x), 1)

    learner = StartsWithNaN()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    options = {"validation": Target(5), "validate_every": 1, "validation_tasks": 2}
    list(outer_loop(learner, Target(0), optimizer, steps=8, **options))
    assert learner.w.item() == 5


def test_the_learner_ends_ready_to_predict():
    learner, _ = walk(steps=2)
    assert not learner.training
    learner, _ = walk(steps=2, validation=Target(0))
    assert not learner.training


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_ends_the_run_in_one_line_before_it_harms_the_weights(value):
    class Breaks(Walk):
        def meta_loss(self, task: Task) -> Tensor:
            return -self.w + (0 if self.w < 2 else value)

    learner = Breaks()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    with pytest.raises(DivergedError, match=r"at step 3 \(tasks 0\); lower") as caught:
        list(outer_loop(learner, Target(0), optimizer, steps=9))
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, QuickstudyError)
    assert learner.w.item() == 2


def test_tasks_whose_loss_is_not_finite_are_left_out_and_counted_where_asked():
    class Breaks(Walk):
        def meta_loss(self, task: Task) -> Tensor:
            return -self.w * torch.where(task.support.x.sum() > self.bound, torch.nan, 1.0)

    class Pair:
        def sample(self, step: int, n_tasks: int) -> Task:
            x = torch.arange(n_tasks, dtype=torch.float32).view(-1, 1, 1) * (step % 2)
            return Task(Examples(x, x), Examples(x, x))

    learner = Breaks()
    learner.bound = 0.5
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    done = list(outer_loop(learner, Pair(), optimizer, steps=3, tasks_per_step=2, skip_bad_tasks=True))
    assert [p.skipped for p in done] == [1, 1, 2]
    assert [p.loss for p in done] == [0.0, -1.0, -2.0]
    learner.bound = -1.0
    with pytest.raises(DivergedError, match=r"tasks 0, 1"):
        list(outer_loop(learner, Pair(), optimizer, steps=1, tasks_per_step=2, skip_bad_tasks=True))


def test_a_task_with_a_gradient_that_is_not_finite_is_left_out_too():
    class Roots(Walk):
        def meta_loss(self, task: Task) -> Tensor:
            return -self.w * (1 + 0 * (task.support.x.sum() * self.w).sqrt())  # at 0, the root has no derivative

    class Pair:
        def sample(self, step: int, n_tasks: int) -> Task:
            x = torch.arange(n_tasks, dtype=torch.float32).view(-1, 1, 1)
            return Task(Examples(x, x), Examples(x, x))

    learner = Roots()
    torch.nn.init.ones_(learner.w)
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    with pytest.raises(DivergedError, match=r"at step 1 \(tasks 0\)"):
        list(outer_loop(learner, Pair(), optimizer, steps=1, tasks_per_step=2))
    [progress] = outer_loop(learner, Pair(), optimizer, steps=1, tasks_per_step=2, skip_bad_tasks=True)
    assert progress.skipped == 1
    assert learner.w.item() == 2


def test_a_loop_that_had_ended_goes_on_from_its_last_weights_not_from_the_best():
    def losses(*ends: int) -> list[float]:
        torch.manual_seed(0)
        learner, state = MAML(MLP(6, (8,)), 4), State()
        optimizer = torch.optim.Adam(learner.parameters(), 0.01)
        options = {"validation": Episodes(clouds(), n_way=4, n_query=2, seed=1), "validation_tasks": 4}
        done = []
        for steps in ends:
            loop = outer_loop(
                learner,
                Episodes(clouds(), n_way=4, n_query=2),
                optimizer,
                steps=steps,
                validate_every=3,
                state=state,
                **options,
            )
            done += [progress.loss for progress in loop]
        assert state.best_step < ends[-1]
        return done

    assert losses(10, 20) == losses(20)


def test_a_meta_loss_that_is_no_scalar_is_refused():
    class PerQuery(Prototypical):
        def meta_loss(self, task: Task) -> Tensor:
            return self.adapt(task.support)(task.query.x).logsumexp(1)

    learner = PerQuery(MLP(6, (8,)))
    with pytest.raises(SettingError, match=r"meta_loss returns shape \[8\]; return a scalar"):
        loop(learner, Episodes(clouds(), n_way=4, n_query=2), steps=1, tasks_per_step=4)


def test_a_real_run_diverges_with_a_word():
    learner = MAML(MLP(6, (8,)), 3, inner_lr=1e30, inner_steps=3, loss="mse")
    with pytest.raises(DivergedError):
        loop(learner, EPISODES, steps=5)


def test_a_step_descends_the_mean_of_its_own_tasks():
    learner = Prototypical(net())
    twin = copy.deepcopy(learner)
    progress = list(
        outer_loop(learner, EPISODES, torch.optim.SGD(learner.parameters(), lr=0.1), steps=1, tasks_per_step=3)
    )
    tasks = EPISODES.sample(1, 3)
    loss = torch.stack([twin.meta_loss(tasks.at(i)) for i in range(3)]).mean()
    loss.backward()
    assert progress[0].loss == pytest.approx(loss.item())
    for p, q in zip(learner.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q - 0.1 * q.grad)


def test_the_gradient_is_clipped_entry_by_entry():
    learner = Number(100.0)
    list(outer_loop(learner, Target(0), torch.optim.SGD(learner.parameters(), lr=1.0), steps=3, clip=10.0))
    assert learner.w.item() == 70


def test_the_schedule_moves_after_every_step_and_progress_tells_the_rate_that_was_used():
    learner = Walk()
    optimizer = torch.optim.SGD(learner.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.0, 4)
    progress = list(outer_loop(learner, Target(0), optimizer, steps=4, schedule=schedule))
    assert [p.lr for p in progress] == pytest.approx([1, 0.75, 0.5, 0.25])
    assert learner.w.item() == pytest.approx(2.5)


def test_population_statistics_are_measured_before_each_validation_and_at_the_end():
    torch.manual_seed(0)
    data = ClassDataset(torch.rand(16, 1, 16, 16), torch.arange(4).repeat_interleave(4), tuple("abcd"))
    tasks = Episodes(data, 2, 1, 2)
    learner = Prototypical(Conv4(size=16, width=4))
    for p in outer_loop(learner, tasks, torch.optim.SGD(learner.parameters(), lr=0.0), steps=4, validation=tasks,
                        validate_every=2, validation_tasks=2):  # fmt: skip
        norm = next(module for module in learner.modules() if isinstance(module, BatchNorm))
        assert bool((norm.mean != 0).all()) == (p.step >= 2)


def test_mixed_precision_trains_and_leaves_the_weights_in_float32():
    learner = Prototypical(net())
    progress = loop(learner, EPISODES, steps=20, tasks_per_step=2, precision="bfloat16")
    assert {p.dtype for p in learner.parameters()} == {torch.float32}
    assert progress[-1].loss < progress[0].loss


def test_seconds_never_decrease():
    _, progress = walk(steps=3)
    assert 0 < progress[0].seconds <= progress[1].seconds <= progress[2].seconds


class DropsOut(MAML):
    def __init__(self) -> None:
        net = nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Dropout(0.5), nn.Linear(8, 5))
        super().__init__(net, 4, inner_lr=0.1, inner_steps=2, learned_head=True)


@pytest.mark.parametrize("inner_steps", [2, 7])  # with all graphs, and through the scan, which draws a step again
def test_a_run_with_dropout_that_went_on_ends_with_the_same_weights(inner_steps):
    def start() -> tuple[MAML, torch.optim.Optimizer]:
        torch.manual_seed(0)
        learner = DropsOut()
        learner.inner_steps = inner_steps
        return learner, torch.optim.SGD(learner.parameters(), 0.1)

    tasks = Episodes(clouds(), n_way=4, n_query=2)
    whole, optimizer = start()
    list(outer_loop(whole, tasks, optimizer, steps=4, tasks_per_step=3))
    parts, optimizer = start()
    state = State()
    loop = outer_loop(parts, tasks, optimizer, steps=4, tasks_per_step=3, state=state)
    next(loop), next(loop)
    assert (state.engine, state.draws) == ("loop", True)
    torch.manual_seed(77)  # whatever else draws in between
    again = State(**vars(state))
    list(outer_loop(parts, tasks, optimizer, steps=4, tasks_per_step=3, state=again))
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), parts.parameters(), strict=True))


def test_dropout_in_the_inner_loop_drops_the_same_on_the_way_back():
    torch.manual_seed(0)
    learner = DropsOut().double()
    learner.inner_steps = 7
    task = Episodes(clouds(), n_way=4, n_query=2).sample(0, 1).at(0)
    weight = learner.net[0].weight
    way = torch.randn_like(weight)

    def loss() -> Tensor:
        with seeded(3):
            return learner.meta_loss(task)

    (g,) = torch.autograd.grad(loss(), weight)
    values = []
    for step in (1e-5, -2e-5):
        with torch.no_grad():
            weight += step * way
        values.append(loss().item())
    assert (values[0] - values[1]) / 2e-5 == pytest.approx((g * way).sum().item(), rel=1e-5)


def test_an_engine_is_asked_for_or_settled_once():
    tasks = Episodes(clouds(), n_way=4, n_query=2)
    for asked, settled in (("auto", "auto"), ("vmap", "vmap"), ("loop", "loop")):
        state = State()
        learner = MAML(MLP(6, (8,)), 4)
        list(outer_loop(learner, tasks, torch.optim.SGD(learner.parameters(), 0.1), steps=1, engine=asked, state=state))
        assert state.engine == settled


def test_where_nothing_can_be_learned_the_loss_is_told_all_the_same():
    learner = Prototypical(MLP(6, (8,)).requires_grad_(False))
    optimizer = torch.optim.SGD(learner.parameters(), 0.1)
    [progress] = outer_loop(learner, Episodes(clouds(), n_way=4, n_query=2), optimizer, steps=1)
    assert math.isfinite(progress.loss)
