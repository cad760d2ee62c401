"""A loop whose gradient keeps only the iterates, and the graph of one step at a time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import torch
from torch import Tensor
from torch.func import vjp

from quickstudy.learners.draws import restore, states
from quickstudy.nets.fast.many import below_vmap, of_tasks
from quickstudy.nets.fast.private import inside_transform, mapped_now
from quickstudy.tasks.tree import tree_flatten, tree_unflatten

Carry = TypeVar("Carry")
Data = TypeVar("Data")


def scan(step: Callable[[Carry, Data, int], Carry], carry: Carry, data: Data, steps: int) -> Carry:
    """Return the last ``carry = step(carry, data, t)`` for t = 0, 1, ..., with a gradient in constant memory.

    The gradient goes backwards through the steps, v <- (d step(c_t) / d c_t)^T v, and computes each step again. Only
    the iterates c_t are kept; intermediate results of a step are freed.

    Args:
        step: Pure function. Tensors that need a gradient, or that ``vmap`` maps, must be in ``carry`` or ``data``.
        carry: Initial tensors, or tuples and dicts of them.
        data: Tensors, or tuples and dicts of them, that every step receives.
        steps: Number of steps, at least 1.

    Source: Griewank and Walther 2008, chapter 12, reverse-mode differentiation with recomputation, here with one
    checkpoint per step; for MAML, the recursion of Rajeswaran et al. 2019, appendix, arXiv:1909.04630.

    >>> x = torch.tensor(2.0, requires_grad=True)
    >>> out = scan(lambda c, a, t: a * c, x, torch.tensor(3.0), steps=4)
    >>> out.backward()
    >>> out.item(), x.grad.item()
    (162.0, 81.0)
    """
    leaves, carry_spec = tree_flatten(carry)
    constants, data_spec = tree_flatten(data)
    n = len(leaves)
    plain = not inside_transform()
    # States of the random generators before each step, which draws the same numbers again on the way back.
    drawn: list[list[Tensor]] = []

    def run(t: int, leaves: Any, constants: Any) -> tuple[Tensor, ...]:
        out = step(tree_unflatten(list(leaves), carry_spec), tree_unflatten(list(constants), data_spec), t)
        return tuple(carry_spec.flatten_up_to(out))  # a dictionary may be returned in another order

    if mapped_now([*leaves, *constants]):

        def of_many(tasks: int, dims: Sequence[int | None], inputs: Sequence[Tensor]) -> tuple[Tensor, ...]:
            start = tuple(of_tasks(x, dim, tasks) for x, dim in zip(inputs[:n], dims[:n], strict=True))

            def together(now: tuple[Tensor, ...], constants: tuple[Tensor, ...], t: int) -> tuple[Tensor, ...]:
                mapped: Callable[..., tuple[Tensor, ...]] = torch.vmap(
                    partial(run, t), in_dims=((0,) * n, tuple(dims[n:]))
                )
                return mapped(now, constants)

            return scan(together, start, tuple(inputs[n:]), steps)

        return cast(Carry, tree_unflatten(list(below_vmap(of_many, [*leaves, *constants])), carry_spec))

    class Scan(torch.autograd.Function):
        generate_vmap_rule = True

        @staticmethod
        def forward(*inputs: Tensor) -> tuple[Tensor, ...]:
            iterates: list[Tensor] = []
            now = inputs[:n]
            for t in range(steps):
                if plain:
                    drawn.append(states())
                # Views: autograd does not save an input that is returned unchanged.
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
            before = states()
            for t in reversed(range(steps)):

                def once(leaves: Any, some: Any, t: int = t) -> tuple[Tensor, ...]:
                    given = dict(zip(wanted, some, strict=True))
                    return run(t, leaves, [given.get(i, c) for i, c in enumerate(fixed)])

                now, some = iterates[t * n : (t + 1) * n], tuple(fixed[i] for i in wanted)
                if plain and not torch.is_grad_enabled():
                    restore(drawn[t])
                    v, parts = _pulled(once, now, some, v)
                else:
                    v, parts = cast(Any, vjp(once, now, some)[1])(tuple(v))
                for i, part in zip(wanted, parts, strict=True):
                    total = totals[i]
                    totals[i] = part if total is None else total + part
            if plain:
                restore(before)
            return (*v, *totals)

    end = Scan.apply(*leaves, *constants)[-n:]  # type: ignore[no-untyped-call]
    return cast(Carry, tree_unflatten(list(end), carry_spec))


def _pulled(once: Any, now: tuple[Tensor, ...], some: tuple[Tensor, ...], v: Any) -> tuple[Any, Any]:
    """Return what ``vjp`` of one step returns, by autograd, for nets that ``torch.func`` cannot differentiate."""
    with torch.enable_grad():
        inputs = [x.detach().requires_grad_() for x in (*now, *some)]
        out = once(tuple(inputs[: len(now)]), tuple(inputs[len(now) :]))
        pairs = [(o, g) for o, g in zip(out, v, strict=True) if o.requires_grad]
        outputs, gradients = zip(*pairs, strict=True)
        pulled = torch.autograd.grad(outputs, inputs, gradients, materialize_grads=True)
    return pulled[: len(now)], pulled[len(now) :]
