"""Report on what will work with your own net, before anything is trained."""

from __future__ import annotations

import copy
import warnings
from functools import partial

import torch
from torch import Tensor, nn

from quickstudy.errors import QuickstudyError, SettingError, one_line
from quickstudy.learners import MAML
from quickstudy.learners.base import embedding_width
from quickstudy.learners.draws import seeded
from quickstudy.learners.inner import twice_differentiable
from quickstudy.nets import apply, input_shape
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, rows, tree_leaves, tree_map
from quickstudy.testing.learner import TOLERANCE, as_exact, queries_are_independent
from quickstudy.training.engine import distance, settle
from quickstudy.training.outer import losses_and_gradients


def check_net(net: nn.Module, x: Tree | None = None) -> str:
    """Return a report of a few lines: what will work with your own net, and what to do about the rest.

    Args:
        net: Net to examine; it is not changed. A copy in float64 is examined, or in the type of its weights if that has
            a lower precision.
        x: Four or more inputs, (n, *input), or a tree of tensors; noise of the net's own input shape if None.

    Raises:
        SettingError: The shape of an input is unknown; give inputs.

    >>> from quickstudy.nets import MLP
    >>> print(check_net(MLP(3, (8,))))
    takes it: yes, (n, 3) -> (n, 8)
    many tasks at once: exact
    second order: exact
    inductive: yes
    random numbers: none
    number type: float32
    """
    dtype = next((p.dtype for p in net.parameters() if p.is_floating_point()), torch.float32)
    exact = dtype in (torch.float32, torch.float64)
    if x is None:
        shape = input_shape(net)
        if shape is None:
            raise SettingError(f"the input shape of {type(net).__name__} is unknown; give x, at least four inputs")
        x = torch.randn(8, *shape, generator=torch.Generator().manual_seed(0))
    n = len(tree_leaves(x)[0])
    if n < 4:
        raise SettingError(f"x has {n} inputs, which are too few; give at least four")
    try:
        learner = MAML(_copied(net), 2, learned_head=True, inner_lr=0.1, inner_steps=2)
        learner = learner.double() if exact else learner
        x = as_exact(x, torch.device("cpu")) if exact else x
        tasks = _two_tasks(x, n)
        with warnings.catch_warnings(record=True) as caught, seeded(0):
            warnings.simplefilter("always")
            width = _width(learner.train().net, tree_map(torch.clone, x), n)
            try:
                how = settle(learner, partial(losses_and_gradients, learner), _repeated(tasks), "auto")
            except RuntimeError as error:
                raise SettingError(
                    f"torch cannot compute the gradients of MAML ({one_line(error)}); change that part of the net, or "
                    f"try first_order=True"
                ) from error
    except QuickstudyError as error:
        return f"takes it: no, {error}"
    reasons = [str(each.message) for each in caught if "one by one" in str(each.message)]
    together = "exact" if how.engine != "loop" else (reasons or ["no, tasks are computed one by one"])[0]
    off = _second_order_off(learner, tasks.at(0)) if exact else None
    second = "exact" if off is not None and off < 1e-5 else "not checked in half precision"
    if off is not None and off >= 1e-5:
        second = f"wrong by {100 * off:.2g} % of finite differences; use first_order=True"
    inductive = "yes"
    if queries_are_independent(learner.eval(), tasks) > (TOLERANCE if exact else 0.1):
        inductive = "no, an answer depends on the other queries; try qs.convert_norms(net)"
    return "\n".join(
        [
            f"takes it: yes, {_shape_text(x)} -> (n, {width})",
            f"many tasks at once: {together}",
            f"second order: {second}",
            f"inductive: {inductive}",
            f"random numbers: {'drawn in training, from a seed for each task' if how.draws else 'none'}",
            f"number type: {str(dtype).removeprefix('torch.')}",
        ]
    )


def _copied(net: nn.Module) -> nn.Module:
    """Return a copy of the net; torch's copy of a scripted net lacks an ``out_features`` that was set later."""
    result = copy.deepcopy(net)
    if hasattr(net, "out_features") and not hasattr(result, "out_features"):
        result.out_features = net.out_features
    return result


def _width(net: nn.Module, x: Tree, n: int) -> int:
    """Return the width of the net's answers to n inputs, or refuse answers that no learner can use."""
    try:
        z = apply(net, x, statistics="batch")
    except QuickstudyError:
        raise
    except Exception as error:  # any exception may come from the net
        raise SettingError(
            f"the net cannot compute inputs of shape {_shape_text(x)} ({one_line(error)}); give x as the net takes it, "
            f"or change the net"
        ) from error
    if not isinstance(z, Tensor):
        raise SettingError(f"the net returns a {type(z).__name__}, but a learner takes a tensor (n, width); return one")
    if z.ndim != 2 or len(z) != n:
        raise SettingError(
            f"the net returns shape {tuple(z.shape)} for {n} inputs, but a learner takes (n, width); flatten or pool it"
        )
    width = embedding_width(net)
    if z.shape[1] != width:
        raise SettingError(
            f"the net returns vectors of width {z.shape[1]}, but its out_features or its last layer says {width}; set "
            f"net.out_features = {z.shape[1]}"
        )
    return width


def _shape_text(x: Tree) -> str:
    return f"({', '.join(map(str, ('n', *tree_leaves(x)[0].shape[1:])))})"


def _two_tasks(x: Tree, n: int) -> Task:
    """Return two tasks of two classes, with the same inputs in another order."""
    y = torch.eye(2)[torch.arange(n) % 2]
    draw = torch.Generator().manual_seed(0)
    orders = [torch.randperm(n, generator=draw) for _ in range(2)]
    whole = [Examples(rows(x, order), y) for order in orders]
    parts = [[each.at(part) for each in whole] for part in (slice(n // 2), slice(n // 2, None))]
    return Task(*(tree_map(lambda *t: torch.stack(t), *part) for part in parts))


def _repeated(tasks: Task) -> Task:
    """Return as many tasks as "auto" needs to use vmap."""
    return tasks.at([0, 1] * 2)


def _second_order_off(learner: MAML, task: Task) -> float:
    """Return the relative distance of a Hessian-vector product from the difference of two gradients.

    It is the smallest over three directions. At a kink, a difference is not a derivative; a wrong derivative is wrong
    in all directions.
    """
    params = {name: p.detach().requires_grad_() for name, p in learner.model.named_parameters()}
    draw = torch.Generator().manual_seed(0)

    def gradient(step: float, way: dict[str, Tensor], *, graph: bool = False) -> tuple[dict[str, Tensor], list[Tensor]]:
        moved = {name: p.detach() + step * way[name] for name, p in params.items()}
        moved = {name: p.requires_grad_() for name, p in moved.items()}
        with seeded(0), twice_differentiable():
            loss = learner.support_loss(moved, task.support)
            return moved, list(
                torch.autograd.grad(loss, list(moved.values()), create_graph=graph, materialize_grads=True)
            )

    off = []
    for _ in range(3):
        way = {name: torch.randn(p.shape, generator=draw, dtype=torch.float64).to(p) for name, p in params.items()}
        moved, g = gradient(0.0, way, graph=True)
        along = sum((a * way[name]).sum() for a, name in zip(g, params, strict=True))
        product = [torch.zeros_like(a) for a in g]
        if isinstance(along, Tensor) and along.requires_grad:
            product = list(torch.autograd.grad(along, list(moved.values()), materialize_grads=True))
        (_, above), (_, below) = gradient(1e-6, way), gradient(-1e-6, way)
        off.append(distance([(a - b) / 2e-6 for a, b in zip(above, below, strict=True)], product))
    return min(off)
