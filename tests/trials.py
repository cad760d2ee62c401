"""A net of somebody's own tried with six learners: what ``docs/own-net.md`` says of each is what this measures."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import quickstudy as qs
from quickstudy.errors import QuickstudyError
from quickstudy.learners.draws import seeded
from quickstudy.tasks.episodes import seeds_of
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import concatenated, tree_map
from quickstudy.training import outer_loop
from quickstudy.training.outer import State
from tests.own_nets import CASES, Inputs

N_WAY, N_SHOT, N_QUERY = 3, 2, 2
RATE = 0.3


class Noise:
    """Tasks of noise: the same of a step, whoever asks."""

    def __init__(self, inputs: Inputs) -> None:
        self.inputs, self.seed, self.split = inputs, 0, "train"

    def sample(self, step: int, n_tasks: int) -> Task:
        tasks = [self._task(torch.Generator().manual_seed(1000 * step + i)) for i in range(n_tasks)]
        parts = [tree_map(lambda *t: torch.stack(t), *some) for some in zip(*tasks, strict=True)]
        return Task(*parts)

    def _task(self, draw: torch.Generator) -> tuple[Examples, Examples]:
        rows = torch.eye(N_WAY)
        return tuple(Examples(self.inputs(k * N_WAY, draw), rows.repeat(k, 1)) for k in (N_SHOT, N_QUERY))


LEARNERS: dict[str, Callable[[nn.Module], qs.Learner]] = {
    "MAML": lambda net: qs.MAML(net, N_WAY, inner_lr=RATE, inner_steps=2, learned_head=True),
    "first order": lambda net: qs.MAML(net, N_WAY, inner_lr=RATE, inner_steps=2, learned_head=True, first_order=True),
    "Reptile": lambda net: qs.Reptile(
        net, N_WAY, inner_lr=RATE, inner_steps=2, test_steps=2, inner_rule="sgd", inner_batch=None, learned_head=True
    ),
    "ANIL": lambda net: qs.ANIL(net, N_WAY, inner_lr=RATE, inner_steps=2, learned_head=True),
    "Prototypical": qs.Prototypical,
    "Matching": qs.Matching,
}
HALF = {torch.bfloat16, torch.float16}


class Outcome(NamedTuple):
    """What became of one net with one learner.

    Attributes:
        cell: "vmap" or "loop", by which 8 tasks a step are taken, "(t)" where evaluation is transductive; or "refused".
        off: Largest relative difference of a gradient from its reference.
        line: Why it is refused.
    """

    cell: str
    off: float = 0.0
    line: str = ""


def tried(net: str, learner: str) -> Outcome:
    """Build, train by 1 and 8 tasks a step, evaluate; each gradient beside one made without this package's loop."""
    make, inputs = CASES[net]
    torch.manual_seed(0)
    source = Noise(inputs)
    try:
        module = make()
        half = any(p.dtype in HALF for p in module.parameters() if not _is_lazy(p))
        one = LEARNERS[learner](module if half else module.double())
        shape_of = {name: (p.stride(), p.requires_grad) for name, p in module.named_parameters()}
        off = max(_off(one, source, n, half=half) for n in (1, 8))
        state = State()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            list(outer_loop(copy.deepcopy(one), source, _sgd(one), steps=1, tasks_per_step=8, state=state))
            figure = qs.evaluate(one, source, n_tasks=4)
    except QuickstudyError as error:
        return Outcome("refused", line=str(error))
    assert shape_of == {name: (p.stride(), p.requires_grad) for name, p in module.named_parameters()}
    assert figure.n_tasks == 4
    cell = "loop" if state.engine == "loop" else "vmap"
    return Outcome(cell + " (t)" * figure.transductive, off)


def _is_lazy(p: Tensor) -> bool:
    return isinstance(p, nn.parameter.UninitializedParameter)


def _sgd(learner: nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(learner.parameters(), 1.0)


def _off(learner: qs.Learner, source: Noise, n: int, *, half: bool) -> float:
    """How far the gradient that ``train`` takes is from its reference, relative to the gradient's size."""
    trained = copy.deepcopy(learner)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        qs.train(trained, source, steps=1, tasks_per_step=n, optimizer=_sgd(trained))
    batch, seeds = source.sample(1, n), seeds_of(source, 1, n)
    if half:  # too coarse for more than: it moved, and its numbers are finite
        assert all(p.isfinite().all() for p in trained.parameters())
        return 0.0
    gradient = [a.detach() - b.detach() for a, b in zip(learner.parameters(), trained.parameters(), strict=True)]
    learner.train()
    if isinstance(learner, qs.Reptile) or getattr(learner, "first_order", False):
        each = [_by_hand(learner, batch.at(i), seeds[i]) for i in range(n)]
        expected = [torch.stack(parts).mean(0) for parts in zip(*each, strict=True)]
        size = torch.cat([g.flatten() for g in expected]).norm().clamp(min=1e-9)
        return float(torch.cat([(g - e).flatten() for g, e in zip(gradient, expected, strict=True)]).norm() / size)
    return _beside_differences(learner, gradient, batch, seeds)


def _beside_differences(learner: qs.Learner, gradient: list[Tensor], batch: Task, seeds: list[int]) -> float:
    """The gradient along a random direction beside the central difference of the meta-loss."""
    draw = torch.Generator().manual_seed(0)
    ways = [
        torch.randn(p.shape, generator=draw, dtype=torch.float64).to(p) * p.requires_grad for p in learner.parameters()
    ]

    def loss(step: float) -> Tensor:
        moved = copy.deepcopy(learner)
        with torch.no_grad():
            for p, way in zip(moved.parameters(), ways, strict=True):
                p += step * way
        losses = []
        for i, seed in enumerate(seeds):
            with seeded(seed):
                losses.append(moved.meta_loss(batch.at(i)).detach())
        return torch.stack(losses).mean()

    slope = sum((g * way).sum() for g, way in zip(gradient, ways, strict=True))
    size = torch.stack([g.norm() for g in gradient]).norm().clamp(min=1e-9)
    return float(((loss(1e-5) - loss(-1e-5)) / 2e-5 - slope).abs() / size)


def _by_hand(learner: Any, task: Task, seed: int) -> list[Tensor]:
    """Reptile's and first-order MAML's gradient of one task, by a copy of the net that is changed in place."""
    before, model = list(learner.model.parameters()), copy.deepcopy(learner.model)
    head = list(model[1].parameters())
    moving = [p for p in model.parameters() if p.requires_grad or any(p is h for h in head)]
    dtype = before[0].dtype
    (x, y), (qx, qy) = (
        Examples(tree_map(lambda t: t.to(dtype) if t.is_floating_point() else t, part.x), part.y) for part in task
    )
    with seeded(seed):
        for _ in range(learner.inner_steps):
            loss = N_WAY * F.cross_entropy(qs.apply(model, x, statistics="batch"), y.to(dtype))
            gradients = torch.autograd.grad(loss, moving, materialize_grads=True)
            with torch.no_grad():
                for p, g in zip(moving, gradients, strict=True):
                    p -= RATE * g
        if isinstance(learner, qs.Reptile):
            return [(a - b).detach() for a, b in zip(before, model.parameters(), strict=True)]
        z = qs.apply(model, concatenated(x, qx), statistics=len(y))[len(y) :]
        wanted = [p for p in model.parameters() if p.requires_grad]
        gradients = iter(torch.autograd.grad(F.cross_entropy(z, qy.to(dtype)), wanted, materialize_grads=True))
    return [next(gradients) if p.requires_grad else torch.zeros_like(p) for p in model.parameters()]


if __name__ == "__main__":
    print("| net | " + " | ".join(LEARNERS) + " |")
    print("|---" * (len(LEARNERS) + 1) + "|")
    for name in CASES:
        outcomes = {learner: tried(name, learner) for learner in LEARNERS}
        print("| " + " | ".join([name, *(outcome.cell for outcome in outcomes.values())]) + " |")
        print("    ", {k: f"{o.off:.1e}" for k, o in outcomes.items()}, {o.line for o in outcomes.values() if o.line})
