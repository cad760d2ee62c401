"""The inner loop: gradient descent on one task, as a pure function that is differentiable itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar, cast

import torch
from torch import Tensor
from torch.func import grad

from quickstudy.errors import SettingError, unknown
from quickstudy.learners.draws import restore, states
from quickstudy.learners.scan import scan
from quickstudy.nets.fast.many import below_vmap, of_tasks
from quickstudy.nets.fast.private import inside_transform, mapped_now
from quickstudy.tasks.tree import tree_flatten, tree_iter, tree_map, tree_unflatten

Params = dict[str, Tensor]
Data = TypeVar("Data")


class InnerRule(Protocol):
    """Rule that turns a gradient into a step. Its state is an argument and a result, never stored."""

    def init(self, params: Params) -> Params:
        """Return the state before the first step."""
        ...

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Return parameters and state after step ``t`` = 0, 1, ..."""
        ...


@dataclass(frozen=True)
class Sgd:
    """Gradient descent: params - lr * velocity, where velocity = momentum * velocity + grad.

    Args:
        lr: Step size, a number or a scalar tensor.
        momentum: Share of the velocity that remains in the next step.

    The update is that of ``torch.optim.SGD``.

    >>> rule, params = Sgd(lr=0.5), {"w": torch.ones(1)}
    >>> rule.step(params, {"w": torch.ones(1)}, rule.init(params), 0)[0]["w"]
    tensor([0.5000])
    """

    lr: float | Tensor
    momentum: float = 0.0

    def init(self, params: Params) -> Params:
        """Return velocities of zero, or no state without momentum."""
        return {name: torch.zeros_like(p) for name, p in params.items()} if self.momentum else {}

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Take one step against the gradient."""
        if self.momentum:
            grads = state = {name: torch.add(grads[name], v, alpha=self.momentum) for name, v in state.items()}
        lr = self.lr
        if isinstance(lr, Tensor):
            return {name: p - (lr * grads[name]).to(p.dtype) for name, p in params.items()}, state
        return {name: torch.sub(p, grads[name], alpha=lr) for name, p in params.items()}, state


@dataclass(frozen=True)
class LearnedRates:
    """Gradient descent, params - rates * grad, with a tensor of rates per parameter or per entry.

    Args:
        rates: Rate of each parameter under its name, a scalar or a tensor of the parameter's shape.

    Source: Li et al. 2017, eq. 2, arXiv:1707.09835.

    >>> rule, params = LearnedRates({"w": torch.tensor([0.5, 0.0])}), {"w": torch.ones(2)}
    >>> rule.step(params, {"w": torch.ones(2)}, rule.init(params), 0)[0]["w"]
    tensor([0.5000, 1.0000])
    """

    rates: Params

    def init(self, params: Params) -> Params:
        """Return the rates as the state, through which the outer gradient reaches them."""
        return self.rates

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Take one step against the gradient."""
        # In the type of the parameter: the rates of a net in half precision have a higher precision.
        return {name: p - (state[name] * grads[name]).to(p.dtype) for name, p in params.items()}, state


@dataclass(frozen=True)
class Adam:
    """Adam, by default without momentum (beta1 = 0): the inner rule of Reptile's experiments.

    Args:
        lr: Step size, a number or a scalar tensor.
        beta1: Decay of the first moment.
        beta2: Decay of the second moment.
        eps: Number that keeps the derivative of the root finite.
        weight_decay: Share of a parameter that a step of size 1 removes, apart from the gradient (AdamW).

    Moments start from zero in every task. Kept from task to task, as in Reptile's published code, they would let
    adapting change the learner.

    Source: Kingma and Ba 2015, algorithm 1, arXiv:1412.6980; Loshchilov and Hutter 2019, algorithm 2, arXiv:1711.05101;
    Nichol et al. 2018, section 6.1, arXiv:1803.02999.

    >>> rule, params = Adam(lr=0.5), {"w": torch.ones(1)}
    >>> rule.step(params, {"w": torch.ones(1)}, rule.init(params), 0)[0]["w"]
    tensor([0.5000])
    """

    lr: float | Tensor
    beta1: float = 0.0
    beta2: float = 0.999
    eps: float = 1e-8
    weight_decay: float = 0.0

    def init(self, params: Params) -> Params:
        """Return moments of zero."""
        first = {f"first.{name}": torch.zeros_like(p) for name, p in params.items()} if self.beta1 else {}
        return first | _second_moments(params)

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Take one step along the first moment, scaled by the root of the second, both bias-corrected."""
        after, stepped = {}, {}
        for name, p in params.items():
            g = grads[name]
            after[name] = v = self.beta2 * state[name] + (1 - self.beta2) * g**2
            if self.beta1:
                m = self.beta1 * state[f"first.{name}"] + (1 - self.beta1) * g
                after[f"first.{name}"] = m
                g = m / (1 - self.beta1 ** (t + 1))
            # eps is inside the root: d sqrt(v)/dv is infinite at v = 0, and the outer gradient passes here.
            root = torch.sqrt(v / (1 - self.beta2 ** (t + 1)) + self.eps**2)
            decayed = p * (1 - self.lr * self.weight_decay) if self.weight_decay else p
            stepped[name] = decayed - (self.lr * g / root).to(p.dtype)
        return stepped, after


@dataclass(frozen=True)
class RmsProp:
    """Gradient descent whose steps are divided by the root of a running mean of squared gradients.

    Args:
        lr: Step size, a number or a scalar tensor.
        alpha: Decay of the running mean.
        eps: Number that keeps the derivative of the root finite.

    The update is that of ``torch.optim.RMSprop``, except that eps is inside the root.

    Source: Tieleman and Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning".

    >>> rule, params = RmsProp(lr=0.5, alpha=0.0), {"w": torch.ones(1)}
    >>> rule.step(params, {"w": torch.ones(1)}, rule.init(params), 0)[0]["w"]
    tensor([0.5000])
    """

    lr: float | Tensor
    alpha: float = 0.99
    eps: float = 1e-8

    def init(self, params: Params) -> Params:
        """Return second moments of zero."""
        return _second_moments(params)

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Take one step, scaled by the root of the second moment."""
        state = {name: self.alpha * v + (1 - self.alpha) * grads[name] ** 2 for name, v in state.items()}
        return {
            name: p - (self.lr * grads[name] / torch.sqrt(state[name] + self.eps**2)).to(p.dtype)
            for name, p in params.items()
        }, state


def _second_moments(params: Params) -> Params:
    """Return zeros, at least in float32, since squares of gradients underflow in half precision."""
    return {name: torch.zeros_like(p, dtype=torch.promote_types(p.dtype, torch.float32)) for name, p in params.items()}


INNER_RULES: dict[str, Callable[[float], InnerRule]] = {
    "sgd": Sgd,
    "momentum": lambda lr: Sgd(lr, momentum=0.9),
    "adam": Adam,
    "adamw": lambda lr: Adam(lr, beta1=0.9, weight_decay=0.01),
    "rmsprop": RmsProp,
}
"""Inner rules by name, each made from the inner rate. Add your own here to save and train learners that use it."""


def rule_named(name: str, lr: float) -> InnerRule:
    """Return the inner rule with a name, for a rate.

    >>> rule_named("momentum", 0.1)
    Sgd(lr=0.1, momentum=0.9)
    """
    return INNER_RULES[check_rule(name)](lr)


def check_rule(name: str) -> str:
    """Return the name of an inner rule unchanged, or refuse an unknown name.

    Raises:
        SettingError: No rule has this name.
    """
    if name not in INNER_RULES:
        raise SettingError(unknown("inner_rule", name, INNER_RULES))
    return name


UNROLLED = 5
"""Most second-order steps whose graphs are all stored. Above this number, ``scan`` computes each step twice: it is a
third slower, but uses constant memory."""


def descend(
    loss: Callable[[Params, Data, int], Tensor],
    params: Params,
    data: Data,
    rule: InnerRule,
    steps: int,
    *,
    first_order: bool = False,
) -> Params:
    """Return the parameters after some steps of gradient descent.

    Args:
        loss: Scalar loss of parameters and data at step t. Tensors that need a gradient, or that ``vmap`` maps, should
            be in one of the two arguments. If one is in the closure, the graphs of all steps are stored.
        params: Initial parameters.
        data: Data that the loss reads: examples, or any tuple or dict of tensors.
        rule: ``Sgd``, ``Adam``, ``RmsProp``, ``LearnedRates`` or your own.
        steps: Number of steps.
        first_order: True treats the inner gradients as constants in the outer gradient (first-order MAML). False gives
            the exact outer gradient.

    Returns:
        Adapted parameters, a differentiable function of ``params`` and ``data``.

    Source: Finn et al. 2017, eq. 1, arXiv:1703.03400.

    >>> def loss(params, x, t):
    ...     return ((params["w"] - x) ** 2).sum()
    >>> descend(loss, {"w": torch.ones(1)}, torch.zeros(1), Sgd(0.25), steps=2)["w"]
    tensor([0.2500])
    """

    if not params:
        return params
    second_order = not first_order and torch.is_grad_enabled()
    unrolled = steps <= UNROLLED or not second_order
    captures = not unrolled and _captures(loss, params, data, rule)

    def step(state: tuple[Params, Params], data: Data, t: int) -> tuple[Params, Params]:
        now, moments = state
        return rule.step(now, _gradient(loss, now, data, t, constant=first_order), moments, t)

    state = params, rule.init(params)
    if not unrolled and not captures:
        return scan(step, state, data, steps)[0]
    for t in range(steps):
        state = step(state, data, t)
    return state[0]


def _captures(loss: Callable[[Params, Data, int], Tensor], params: Params, data: Data, rule: InnerRule) -> bool:
    """Return whether a loss or a rule reads a tensor that needs a gradient and is not among its arguments."""
    leaves, spec = tree_flatten((params, data))

    def once(*leaves: Tensor) -> tuple[Tensor, ...]:
        now, given = tree_unflatten([x.detach() for x in leaves], spec)
        moments = tree_map(torch.Tensor.detach, rule.init(now))
        zeros = {name: torch.zeros_like(p) for name, p in now.items()}
        return loss(now, given, 0), *tree_iter(rule.step(now, zeros, moments, 0))

    results: tuple[Tensor, ...] = ()

    def of_many(tasks: int, dims: Sequence[int | None], inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        nonlocal results
        with torch.enable_grad():
            results = torch.vmap(once, in_dims=tuple(dims))(*inputs)
        return [x.detach() for x in results]

    before = states()
    if mapped_now(leaves):  # under vmap, no tensor shows that it needs a gradient
        below_vmap(of_many, leaves)
    else:
        with torch.enable_grad():
            results = once(*leaves)
    restore(before)
    return any(x.requires_grad for x in results)


class twice_differentiable:
    """Context in which attention uses torch's plain operations, since flash attention has no second derivative.

    ``torch.nn.attention.sdpa_kernel`` does the same and takes ten times as long.

    >>> with twice_differentiable():
    ...     torch.backends.cuda.flash_sdp_enabled()
    False
    """

    def __enter__(self) -> None:
        kernels: Any = torch.backends.cuda
        self._before = kernels.flash_sdp_enabled(), kernels.mem_efficient_sdp_enabled(), kernels.cudnn_sdp_enabled()
        if any(self._before):
            self._set(False, False, False)

    def __exit__(self, *_: object) -> None:
        if any(self._before):
            self._set(*self._before)

    @staticmethod
    def _set(flash: bool, mem_efficient: bool, cudnn: bool) -> None:
        kernels: Any = torch.backends.cuda
        kernels.enable_flash_sdp(flash)
        kernels.enable_mem_efficient_sdp(mem_efficient)
        kernels.enable_cudnn_sdp(cudnn)


def _gradient(
    loss: Callable[[Params, Data, int], Tensor], params: Params, data: Data, t: int, *, constant: bool
) -> Params:
    """Return the gradient of the loss; without a graph if ``constant``, or if nothing in it needs a gradient."""
    constant = constant or not torch.is_grad_enabled()
    if inside_transform():
        leaves, spec = tree_flatten((params, data))
        if mapped_now(leaves):

            def of_one(*leaves: Tensor) -> Tensor:
                own, examples = tree_unflatten(list(leaves), spec)
                return loss(own, examples, t)

            fn = partial(_gradients_of_tasks, of_one, len(params), constant)
            return dict(zip(params, below_vmap(fn, leaves), strict=True))
        if not constant:
            with twice_differentiable():
                return cast(Params, grad(loss)(params, data, t))
        with torch.no_grad():
            return cast(Params, grad(loss)({name: p.detach() for name, p in params.items()}, data, t))
    # Outside of torch.func's transforms, autograd alone gives the same, up to a third faster for small operations.
    if not constant and not any(x.requires_grad for x in tree_iter((params, data))):
        before = states()
        constant = not loss(params, data, t).requires_grad  # the loss may capture a tensor that needs one
        restore(before)
    with torch.enable_grad(), nullcontext() if constant else twice_differentiable():
        # Views: one parameter may be computed from another (Proto-MAML's head is), and its gradient must not flow
        # there.
        views = {
            name: p.view_as(p) if p.requires_grad and not constant else p.detach().requires_grad_()
            for name, p in params.items()
        }
        grads = torch.autograd.grad(
            loss(views, data, t), list(views.values()), create_graph=not constant, materialize_grads=True
        )
    return dict(zip(views, grads, strict=True))


def _gradients_of_tasks(
    loss: Callable[..., Tensor],
    n: int,
    constant: bool,
    tasks: int,
    dims: Sequence[int | None],
    inputs: Sequence[Tensor],
) -> Sequence[Tensor]:
    """Return the gradients of each task's loss for its first n inputs.

    A task's loss does not depend on the inputs of the others, so these are the gradients of the sum of all losses.
    """
    params = {str(i): of_tasks(p, dim, tasks) for i, (p, dim) in enumerate(zip(inputs[:n], dims[:n], strict=True))}

    def total(params: Params, data: Sequence[Tensor], _: int) -> Tensor:
        return torch.vmap(loss, in_dims=(*[0] * n, *dims[n:]))(*params.values(), *data).sum()

    return list(_gradient(total, params, inputs[n:], 0, constant=constant).values())
