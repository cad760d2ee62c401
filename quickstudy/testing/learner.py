"""The contract of a learner, as laws that can be checked for any learner."""

from __future__ import annotations

import copy
import inspect
import json
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import ModelError, QuickstudyError, SettingError, one_line
from quickstudy.learners import Learner
from quickstudy.models.build import build, describe
from quickstudy.nets import has_foreign, input_shape
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, concatenated, flat, rows, tree_map
from quickstudy.training.engine import Engine, distance, map_tasks

TOLERANCE = 1e-7
"""Largest difference that counts as equal, in float64, relative to the largest number compared."""


def check_learner(learner: Learner, tasks: Task | None = None, *, net: nn.Module | None = None) -> None:
    """Check that a learner keeps the contract on which training, evaluation and model files rely.

    Args:
        learner: Learner to check; it is not changed, since a copy in float64 is examined.
        tasks: A batch of at least two tasks; ``noise_tasks`` if None.
        net: Net to examine the same learner on; ``check_net`` examines the net itself.

    Raises:
        AssertionError: A law is broken; one line says which, and by how much.
        SettingError: The shape of an input is unknown; give tasks.

    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import MLP
    >>> check_learner(Prototypical(MLP(2, (8,))))
    """
    if net is not None:
        arguments = [name for name in inspect.signature(type(learner).__init__).parameters if name != "self"]
        learner = type(learner)(**{name: getattr(learner, name) for name in arguments} | {"net": copy.deepcopy(net)})
    tasks = as_exact(noise_tasks(learner) if tasks is None else tasks, next(learner.parameters()).device)
    for law in LAWS:
        examined = copy.deepcopy(learner).double().eval()
        examined.observe(flat(tasks.support.x))
        statement = f"{type(learner).__name__} breaks a law: {(law.__doc__ or '').splitlines()[0]}"
        try:
            off = law(examined, tasks)
        except Exception as error:
            reason = one_line(error, most=1000)
            raise AssertionError(f"{statement} Instead: {type(error).__name__}: {reason}") from error
        if not off <= TOLERANCE:
            raise AssertionError(f"{statement} It is off by {off:.3g}.")


def as_exact(x: Tree, device: torch.device) -> Tree:
    """Convert real numbers to float64 on a device; integers, such as token ids, keep their type."""
    return tree_map(lambda t: t.to(device, torch.float64) if t.is_floating_point() else t.to(device), x)


def noise_tasks(learner: Learner, n_tasks: int = 3, n_shot: int = 2, n_query: int = 3, *, seed: int = 0) -> Task:
    """Return a batch of tasks in float64: classes are clouds of noise, or targets are random if the loss is "mse".

    Args:
        learner: Learner whose ``n_way`` or ``n_classes`` gives the number of classes (5 without both). Its net's
            ``in_features``, or ``channels`` and ``size``, give the shape of an input.
        n_tasks: Number of tasks of the batch.
        n_shot, n_query: Support and query examples of each class.
        seed: Seed of the noise.

    Raises:
        SettingError: The shape of an input is unknown.

    >>> from quickstudy.learners import MAML
    >>> from quickstudy.nets import Conv4
    >>> noise_tasks(MAML(Conv4(size=16, width=4), n_way=3)).query.x.shape
    torch.Size([3, 9, 1, 16, 16])
    """
    shape = input_shape(learner)
    if shape is None:
        raise SettingError(f"the input shape of {type(learner).__name__}'s net is unknown; give tasks")
    n_way: int = getattr(learner, "n_way", getattr(learner, "n_classes", 5))
    noise = torch.Generator().manual_seed(seed)

    def normal(*size: int) -> Tensor:
        return torch.randn(*size, generator=noise, dtype=torch.float64)

    centres = normal(n_tasks, n_way, *shape)

    def draw(each: int) -> Examples:
        x = centres.repeat(1, each, *[1] * len(shape)) + 0.5 * normal(n_tasks, each * n_way, *shape)
        if learner.loss == "mse":
            return Examples(x, normal(n_tasks, each * n_way, n_way))
        return Examples(x, torch.eye(n_way, dtype=torch.float64).repeat(n_tasks, each, 1))

    return Task(draw(n_shot), draw(n_query))


def _meta_loss_trains(learner: Learner, tasks: Task) -> float:
    """The meta-loss is a finite scalar with a finite gradient, not zero for at least one parameter."""
    loss = learner.train().meta_loss(tasks.at(0))
    if loss.shape != ():
        raise ValueError(f"its shape is {list(loss.shape)}")
    gradients = _gradients(learner, loss)
    if not any(bool((g != 0).any()) for g in gradients):
        raise ValueError("the gradient reaches no parameter")
    return max(_distance(x, x) for x in (loss, *gradients))


def _learner_is_unchanged(learner: Learner, tasks: Task) -> float:
    """Adapting, predicting and the meta-loss change no weight, no buffer and no mode.

    The result is the number of changed ones.
    """
    changes = 0
    for training in (False, True):
        before = copy.deepcopy(learner.train(training).state_dict())
        modes = [module.training for module in learner.modules()]
        _logits(learner, tasks.at(0))
        learner.meta_loss(tasks.at(0))
        changes += sum(not torch.equal(before[name], value) for name, value in learner.state_dict().items())
        changes += sum(module.training != mode for module, mode in zip(learner.modules(), modes, strict=True))
    return float(changes)


def _no_global_random_numbers(learner: Learner, tasks: Task) -> float:
    """Adapting and the meta-loss read and write no global random state of torch or numpy."""

    def state() -> list[int]:
        _, keys, position, *_ = np.random.get_state()  # noqa: NPY002
        return [*torch.get_rng_state().tolist(), *np.asarray(keys).tolist(), int(position)]

    before = state()
    _logits(learner, tasks.at(0))
    if not _has_own_net(learner):  # the engine gives dropout a seed
        learner.train().meta_loss(tasks.at(0))
    return float(state() != before)


def _logits_have_a_row_a_query(learner: Learner, tasks: Task) -> float:
    """Predictions of m queries are finite and have the shape (m, n_way)."""
    return _off_shape(learner, *tasks.at(0))


def _again_is_the_same(learner: Learner, tasks: Task) -> float:
    """Predicting or adapting twice, with or without gradients, gives equal logits; so does the meta-loss."""
    predict = learner.adapt(tasks.at(0).support)
    first, again = (predict(tasks.at(0).query.x) for _ in range(2))
    losses = [learner.meta_loss(tasks.at(0)) for _ in range(2)]
    return max(_distance(first, again), _distance(first, _logits(learner, tasks.at(0))), _distance(*losses))


def _predictors_stand_alone(learner: Learner, tasks: Task) -> float:
    """Adapting to another task does not change a predictor."""
    predict = learner.adapt(tasks.at(0).support)
    before = predict(tasks.at(0).query.x)
    _logits(learner, tasks.at(-1))
    return _distance(before, predict(tasks.at(0).query.x))


def _support_order_is_irrelevant(learner: Learner, tasks: Task) -> float:
    """The order of the support does not matter."""
    support, query = tasks.at(0)
    shuffled = support.at(torch.randperm(len(support.y), generator=torch.Generator().manual_seed(0)))
    return _distance(*(_logits(learner, Task(each, query)) for each in (support, shuffled)))


def _query_order_is_irrelevant(learner: Learner, tasks: Task) -> float:
    """The answers to permuted queries are the permuted answers, also of a learner that answers them together."""
    predict, (x, y) = learner.adapt(tasks.at(0).support), tasks.at(0).query
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
    return _distance(predict(x)[order], predict(rows(x, order)))


def queries_are_independent(learner: Learner, tasks: Task) -> float:
    """A query alone gets the same logits as among other queries, unless the learner is marked as transductive."""
    if learner.transductive:
        return 0.0
    predict, x = learner.adapt(tasks.at(0).support), tasks.at(0).query.x
    n = len(tasks.at(0).query.y)
    return _distance(predict(x), torch.cat([predict(rows(x, slice(i, i + 1))) for i in range(n)]))


def _unequal_shots(learner: Learner, tasks: Task) -> float:
    """No logit is NaN if classes have unequal numbers of support examples, or no examples."""
    support, query = tasks.at(0)
    fewer = support.at(slice(1, None)), support.at(support.y[:, 0] != 1)
    return float(sum(_logits(learner, Task(left, query)).isnan().sum() for left in fewer))


def _any_number_of_classes(learner: Learner, tasks: Task) -> float:
    """A classifier adapts to other numbers of classes than in training, or raises a QuickstudyError."""
    if learner.loss == "mse":
        return 0.0
    a, b = tasks.at(0).support, tasks.at(-1).support
    n_way = a.y.shape[-1]
    wider = Examples(concatenated(a.x, b.x), torch.cat([F.pad(a.y, (0, n_way)), F.pad(b.y, (n_way, 0))]))
    rest = a.at(a.y[:, 0] != 1)
    try:
        return max(_off_shape(learner, s, tasks.at(0).query) for s in (wider, Examples(rest.x, rest.y[:, 1:])))
    except QuickstudyError:
        return 0.0


def _vmap_is_the_loop(learner: Learner, tasks: Task) -> float:
    """Logits, meta-losses and meta-gradients are the same for many tasks at once (vmap) as for one after another."""
    if _has_own_net(learner):  # the engine tries such a net, and uses vmap only if this holds
        return 0.0

    def learn(engine: Engine) -> list[Tensor]:
        logits = map_tasks(lambda task: _logits(learner.eval(), task), tasks, engine=engine)
        losses = map_tasks(learner.train().meta_loss, tasks, engine=engine)
        return [logits, losses, *_gradients(learner, losses.sum())]

    return distance(learn("loop"), learn("vmap"))


def _has_own_net(learner: Learner) -> bool:
    """Return whether the learner's net is from outside this package."""
    net = getattr(learner, "net", None)
    return isinstance(net, nn.Module) and has_foreign(net)


def _built_again_it_is_the_same(learner: Learner, tasks: Task) -> float:
    """A registered learner that is built from its description, with its weights, predicts the same."""
    try:
        config = json.loads(json.dumps(describe(learner)))
    except ModelError:  # not registered
        return 0.0
    with torch.random.fork_rng(devices=[]):
        twin = build(config).to(tasks.query.y.device).double().eval()
    twin.load_state_dict(learner.state_dict())
    return _distance(*(_logits(each, tasks.at(0)) for each in (learner, twin)))


LAWS: tuple[Callable[[Learner, Task], float], ...] = (
    _meta_loss_trains,
    _learner_is_unchanged,
    _no_global_random_numbers,
    _logits_have_a_row_a_query,
    _again_is_the_same,
    _predictors_stand_alone,
    _support_order_is_irrelevant,
    _query_order_is_irrelevant,
    queries_are_independent,
    _unequal_shots,
    _any_number_of_classes,
    _vmap_is_the_loop,
    _built_again_it_is_the_same,
)
"""Laws, each a function of a learner and a batch of tasks; it returns the distance from its docstring's statement."""


def _logits(learner: Learner, task: Task) -> Tensor:
    with torch.no_grad():
        return learner.adapt(task.support)(task.query.x)


def _off_shape(learner: Learner, support: Examples, query: Examples) -> float:
    """Return zero if the logits of the queries are finite, with one per class of the support."""
    return _distance(query.y.new_zeros(len(query.y), support.y.shape[-1]), 0 * _logits(learner, Task(support, query)))


def _gradients(learner: Learner, loss: Tensor) -> list[Tensor]:
    parameters = [p for p in learner.parameters() if p.requires_grad]
    return [g for g in torch.autograd.grad(loss, parameters, allow_unused=True) if g is not None]


def _distance(a: Tensor, b: Tensor) -> float:
    """Return the largest difference relative to the largest number, or infinity if a number is not finite."""
    if a.shape != b.shape:
        raise ValueError(f"the shape is {list(b.shape)}, but {list(a.shape)} was expected")
    off = (a - b).abs().max() / a.abs().max().clamp(min=1e-300)
    return off.nan_to_num(nan=torch.inf).item()
