"""A loop whose gradient keeps the iterates and the graph of one step at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.func import vjp
from torch.utils._pytree import tree_flatten, tree_unflatten

Carry = TypeVar("Carry")
Data = TypeVar("Data")


def scan(step: Callable[[Carry, Data, int], Carry], carry: Carry, data: Data, steps: int) -> Carry:
    """``carry = step(carry, data, t)`` for t = 0, 1, ..., with a gradient in constant memory.

    The gradient goes backwards through the steps, v <- (d step(c_t) / d c_t)^T v, and computes each step once more as
    it gets there. What is kept is the iterates c_t; what a step makes on its way is freed.

    Args:
        step: Pure. Tensors that need a gradient, or that ``vmap`` maps, must reach it through ``carry`` and ``data``.
        carry: Tensors, or tuples and dicts of them.
        data: The same, for every step.
        steps: Number of steps, at least 1.

    Source: reverse-mode differentiation with recomputation, Griewank and Walther 2008, chapter 12, at one checkpoint a
    step; for MAML, the recursion of Rajeswaran et al. 2019, appendix, arXiv:1909.04630.

    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> out = scan(lambda c, a, t: a * c, x, torch.tensor(3.0), steps=4)
    >>> out.backward()
    >>> out.item(), x.grad.item()
    (162.0, 81.0)
    """
    leaves, carry_spec = tree_flatten(carry)
    constants, data_spec = tree_flatten(data)
    n = len(leaves)

    def run(t: int, leaves: Any, constants: Any) -> tuple[Tensor, ...]:
        out = step(tree_unflatten(list(leaves), carry_spec), tree_unflatten(list(constants), data_spec), t)
        return tuple(tree_flatten(out)[0])

    class Scan(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*inputs: Tensor) -> tuple[Tensor, ...]:
            iterates: list[Tensor] = []
            now = inputs[:n]
            for t in range(steps):
                # Views, for autograd saves no input that comes out as it went in.
                now = tuple(x.view_as(x) for x in run(t, now, inputs[n:]))
                iterates += now
            return tuple(iterates)

        @staticmethod
        def setup_context(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, ...]) -> None:
            ctx.save_for_backward(*inputs, *output[:-n])
            ctx.mark_non_differentiable(*output[:-n])

        @staticmethod
        def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
            inputs, later = (
                ctx.saved_tensors[: len(ctx.needs_input_grad)],
                ctx.saved_tensors[len(ctx.needs_input_grad) :],
            )
            iterates, fixed = (*inputs[:n], *later), inputs[n:]
            wanted = [i for i, needed in enumerate(ctx.needs_input_grad[n:]) if needed]
            v = gradients[-n:]
            totals: list[Tensor | None] = [None] * len(fixed)
            for t in reversed(range(steps)):

                def once(leaves: Any, some: Any, t: int = t) -> tuple[Tensor, ...]:
                    given = dict(zip(wanted, some, strict=True))
                    return run(t, leaves, [given.get(i, c) for i, c in enumerate(fixed)])

                pull: Any = vjp(once, iterates[t * n : (t + 1) * n], tuple(fixed[i] for i in wanted))[1]
                v, parts = pull(tuple(v))
                for i, part in zip(wanted, parts, strict=True):
                    total = totals[i]
                    totals[i] = part if total is None else total + part
            return (*v, *totals)

    end = Scan.apply(*leaves, *constants)[-n:]  # type: ignore[no-untyped-call]
    return cast(Carry, tree_unflatten(list(end), carry_spec))
