from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners import (
    ANIL,
    IMAML,
    LEARNERS,
    LRD2,
    MAML,
    R2D2,
    Baseline,
    CosineBaseline,
    InContext,
    Learner,
    MAMLPlusPlus,
    Matching,
    MetaSGD,
    NearestPixels,
    Predictor,
    ProtoMAML,
    Prototypical,
    Relation,
    Reptile,
    Siamese,
    SimpleShot,
)
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import check_learner, noise_tasks
from tests.mirror import holds
from tests.own_nets import LAYERS


def conv() -> Conv4:
    return Conv4(size=16, width=4)


def halfway(learner: Learner) -> Learner:
    learner.anneal(0.5)
    return learner


LAWFUL: dict[str, Callable[[], Learner]] = {
    "maml": lambda: MAML(conv(), 3, inner_lr=0.4),
    "maml, 2 steps, another number at test": lambda: MAML(conv(), 3, inner_lr=0.4, inner_steps=2, test_steps=3),
    "maml, first order": lambda: MAML(conv(), 3, inner_lr=0.4, first_order=True),
    "maml, transductive": lambda: MAML(conv(), 3, inner_lr=0.4, transductive=True),
    "maml, strided net of 3 channels": lambda: MAML(Conv4(3, 16, 4, pool=False), 3, inner_lr=0.4),
    "maml, regression": lambda: MAML(MLP(1, (8, 8), "tanh"), 2, inner_lr=0.01, loss="mse"),
    "reptile, adam": lambda: Reptile(conv(), 3, test_steps=3, inner_batch=2),
    "reptile, sgd": lambda: Reptile(conv(), 3, inner_rule="sgd", inner_lr=0.1, test_steps=3),
    "reptile, transductive": lambda: Reptile(conv(), 3, test_steps=3, transductive=True),
    "reptile, regression": lambda: Reptile(MLP(1, (8, 8)), 1, inner_rule="sgd", test_steps=3, loss="mse"),
    "anil": lambda: ANIL(conv(), 3, inner_steps=2, test_steps=7),
    "anil, learned head, transductive": lambda: ANIL(conv(), 3, learned_head=True, transductive=True),
    "anil, regression": lambda: ANIL(MLP(1, (8, 8), "tanh"), 2, inner_lr=0.01, loss="mse"),
    "meta-sgd": lambda: MetaSGD(conv(), 3),
    "meta-sgd, transductive": lambda: MetaSGD(conv(), 3, transductive=True),
    "meta-sgd, regression": lambda: MetaSGD(MLP(1, (8, 8)), 1, inner_lr=0.01, loss="mse"),
    "maml++": lambda: MAMLPlusPlus(conv(), 3, inner_steps=3),
    "maml++, half-way": lambda: halfway(MAMLPlusPlus(conv(), 3, inner_steps=3)),
    "maml++, learned head, transductive": lambda: MAMLPlusPlus(
        conv(), 3, inner_steps=2, learned_head=True, transductive=True
    ),
    "maml++, regression": lambda: MAMLPlusPlus(MLP(1, (8, 8)), 1, inner_lr=0.01, inner_steps=1, loss="mse"),
    "imaml": lambda: IMAML(conv(), 3, inner_steps=4),
    "imaml, learned head, transductive": lambda: IMAML(
        conv(), 3, inner_steps=2, test_steps=3, learned_head=True, transductive=True
    ),
    "imaml, regression": lambda: IMAML(MLP(1, (8, 8), "tanh"), 2, inner_lr=0.01, loss="mse"),
    "proto-maml": lambda: ProtoMAML(conv(), 3, inner_steps=1),
    "proto-maml, 7 steps": lambda: ProtoMAML(conv(), 3, inner_steps=7),
    "proto-maml, first order": lambda: ProtoMAML(conv(), 3, first_order=True),
    "proto-maml, transductive": lambda: ProtoMAML(conv(), 3, transductive=True),
    "siamese": lambda: Siamese(conv()),
    "siamese, transductive": lambda: Siamese(conv(), transductive=True),
    "matching": lambda: Matching(conv()),
    "matching, full context": lambda: Matching(conv(), full_context=True, attention_steps=2),
    "matching, full context, transductive": lambda: Matching(
        conv(), full_context=True, attention_steps=2, transductive=True
    ),
    "prototypical": lambda: Prototypical(conv()),
    "prototypical, transductive": lambda: Prototypical(conv(), transductive=True),
    "prototypical, vectors": lambda: Prototypical(MLP(3, (8,))),
    "relation": lambda: Relation(conv()),
    "r2d2": lambda: R2D2(conv()),
    "r2d2, regression": lambda: R2D2(MLP(1, (8, 8), "tanh"), loss="mse"),
    "lrd2": lambda: LRD2(conv()),
    "in-context": lambda: InContext(conv()),
    "baseline": lambda: Baseline(conv(), n_classes=3, head_steps=5),
    "cosine-baseline": lambda: CosineBaseline(conv(), n_classes=3, head_steps=5),
    "simple-shot": lambda: SimpleShot(conv(), n_classes=3),
    "nearest-pixels": lambda: NearestPixels(size=4),
}


LONG = (
    *("proto-maml", "imaml", "maml++", "reptile,", "maml,", "anil"),
    *("meta-sgd", "meta-curvature", "kfo", "trans-finetune"),
)
"""Beginnings of the names of learners whose laws take long."""
SLOW = {name for name in LAWFUL if name.startswith(LONG)}


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in LAWFUL])
def test_every_learner_keeps_the_laws(name):
    torch.manual_seed(0)
    check_learner(LAWFUL[name]())


def test_no_algorithm_is_left_out():
    here = {type(make()) for make in LAWFUL.values()}
    assert all(cls in here or holds(cls, "check_learner") for cls in LEARNERS.values())


def test_tasks_of_ones_own_may_be_given():
    learner = Prototypical(MLP(3, (8,)))
    check_learner(learner, noise_tasks(learner, n_tasks=2, n_shot=1, n_query=1, seed=5))


def test_the_learner_and_the_random_state_are_left_as_they_were():
    learner = Matching(MLP(3, (8,)))
    before = {name: value.clone() for name, value in learner.state_dict().items()}
    random = torch.get_rng_state()
    check_learner(learner)
    assert learner.training
    assert all(torch.equal(before[name], value) for name, value in learner.state_dict().items())
    assert torch.equal(random, torch.get_rng_state())


def test_a_net_that_does_not_say_its_input_needs_tasks():
    with pytest.raises(SettingError, match="give tasks"):
        check_learner(LooksOnly())
    check_learner(LooksOnly(), noise_tasks(Prototypical(MLP(3, (8,)))))


class LooksOnly(Prototypical):
    """A lawful learner whose net keeps quiet about its input."""

    def __init__(self) -> None:
        super().__init__(nn.Sequential(nn.Linear(3, 8)))


class Vectors(Prototypical):
    def __init__(self) -> None:
        super().__init__(MLP(3, (8,), "tanh"))

    def logits(self, support: Examples, x: Tensor) -> Tensor:
        return super().adapt(support)(x)


class LearnsInPlace(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        with torch.no_grad():
            self.net.layers[0].bias += 1e-6
        return super().adapt(support)


class MovesStatistics(Vectors):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def adapt(self, support: Examples) -> Predictor:
        return lambda x: self.logits(support, x) + 0 * self.seen.add_(len(x))


class SwitchesMode(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        self.eval()
        return super().adapt(support)


class PeeksAtOtherQueries(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        return lambda x: self.logits(support, x - x.mean(0))


class MindsOrder(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        return lambda x: self.logits(support, x * support.x[0])


class DrawsFromTorch(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        noise = torch.rand(3)
        return lambda x: self.logits(support, x + noise)


class DrawsFromNumpy(Vectors):
    def meta_loss(self, task: Task) -> Tensor:
        return super().meta_loss(task) * (1 + np.random.random())  # noqa: NPY002


class ForgetsWhoAsked(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        self.latest = super().adapt(support)
        return lambda x: self.latest(x)


class CountsPredictions(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        count = iter(range(1000))
        return lambda x: self.logits(support, x) + next(count)


class KnowsFiveClasses(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        head = torch.ones(8, 5, dtype=torch.float64)
        return lambda x: self.net(x) @ head


class RefusesOtherClasses(KnowsFiveClasses):
    """Lawful: it says so."""

    def adapt(self, support: Examples) -> Predictor:
        if support.y.shape[-1] != 5:
            raise SettingError(f"{support.y.shape[-1]} classes, but the head has 5; train another")
        return super().adapt(support)


class DividesByNothing(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        return lambda x: self.logits(support, x) + 0 / support.y.sum(0)


class LooksAtValues(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        scale = 2 if support.x.sum().item() > 0 else 1
        return lambda x: scale * self.logits(support, x)


class LosesItsHead(Vectors):
    def meta_loss(self, task: Task) -> Tensor:
        return super().meta_loss(task).detach().requires_grad_()


class LosesMany(Vectors):
    def meta_loss(self, task: Task) -> Tensor:
        return super().meta_loss(task)[None]


class Diverges(Vectors):
    def meta_loss(self, task: Task) -> Tensor:
        return super().meta_loss(task) / 0


class Flattens(Vectors):
    def adapt(self, support: Examples) -> Predictor:
        return lambda x: self.logits(support, x).flatten()


@pytest.mark.parametrize(
    ("broken", "law"),
    [
        (LearnsInPlace, "change no weight"),
        (MovesStatistics, "no buffer"),
        (SwitchesMode, "no mode"),
        (PeeksAtOtherQueries, "A query alone"),
        (MindsOrder, "order of the support"),
        (DrawsFromTorch, "no global random state"),
        (DrawsFromNumpy, "no global random state"),
        (ForgetsWhoAsked, "Adapting to another task does not change a predictor"),
        (CountsPredictions, "Predicting or adapting twice"),
        (KnowsFiveClasses, "other numbers of classes .* Instead: ValueError: the shape"),
        (DividesByNothing, "No logit is NaN if .* no examples. It is off by 15"),
        (LooksAtValues, r"\(vmap\)"),
        (LosesItsHead, "reaches no parameter"),
        (LosesMany, r"finite scalar .* Instead: ValueError: its shape is \[1\]"),
        (Diverges, "finite scalar .* off by inf"),
        (Flattens, r"the shape \(m, n_way\)"),
    ],
)
def test_a_broken_learner_is_caught_in_one_line_that_names_the_law(broken, law):
    with pytest.raises(AssertionError, match=f"^{broken.__name__} breaks a law: .*{law}") as caught:
        check_learner(broken())
    assert "\n" not in str(caught.value)


def test_refusing_other_numbers_of_classes_is_lawful():
    check_learner(RefusesOtherClasses())


class KeepsNoArguments(Learner):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.net = MLP(3, (width,), "tanh")

    def adapt(self, support: Examples) -> Predictor:
        z = self.net(support.x)
        return lambda x: self.net(x) @ z.T @ support.y


def test_a_registered_learner_must_be_written_down_and_built_again():
    check_learner(KeepsNoArguments())
    LEARNERS.register("keeps-no-arguments", KeepsNoArguments)
    with pytest.raises(AssertionError, match=r"built from its description.*no attribute 'width'"):
        check_learner(KeepsNoArguments())


@pytest.mark.parametrize(
    "learner",
    [MAML(MLP(3, (4,)), 3, inner_steps=2), Reptile(MLP(3, (4,)), 3, test_steps=2), Prototypical(MLP(3, (4,)))],
)
def test_a_learner_keeps_the_laws_on_a_net_of_ones_own(learner):
    check_learner(learner, noise_tasks(learner), net=LAYERS)
    assert not isinstance(learner.net, nn.Sequential)
