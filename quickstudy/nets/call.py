"""Calls of any net as a pure function of its weights and inputs."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import nullcontext
from functools import cache
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from quickstudy.errors import SettingError
from quickstudy.nets.fast.private import (
    BATCH_NORMS,
    INSTANCE_NORMS,
    children,
    has_hooks,
    has_weight_norm,
    inside_transform,
    is_weight_norm,
    own_buffers,
    own_parameters,
    plain_weight_norm,
    without_saved_tensor_hooks,
)
from quickstudy.nets.statistics import Statistics, normalised_by
from quickstudy.nets.watch import Watch
from quickstudy.tasks.tree import Tree, leaves, mapped

_PLAIN = {
    nn.Linear,
    nn.Conv2d,
    nn.Sequential,
    nn.ModuleList,
    nn.ParameterList,
    nn.ReLU,
    nn.GELU,
    nn.Flatten,
    nn.LSTMCell,
}
"""Torch's modules that this package builds its nets from; all are exact under ``vmap``."""


_COMPUTED_AGAIN = (
    "the net's forward pass keeps tensors by hooks, as torch.utils.checkpoint does, which computes them again by the "
    "weights of before the inner loop; leave such hooks out of a net whose weights are adapted"
)


def apply(net: nn.Module, x: Tree, params: dict[str, Tensor] | None = None, *, statistics: Statistics) -> Tensor:
    """Return ``net(x)`` with the chosen batch statistics, and with other parameters if they are given.

    The net is not changed. A parameter with two names in the net is replaced under both. A forward pass that would
    change a buffer is refused, since a task would then depend on the tasks before it.

    Args:
        net: Any module; one without ``BatchNorm`` ignores ``statistics``.
        x: Inputs, (n, *input), or a tree of tensors. Real numbers are converted to the type of the net's weights.
            Whole numbers are too, unless a module is not of this package: it may look them up in a table.
        params: Replacements for the net's parameters, under the names of ``named_parameters``.
        statistics: "batch" for those of all rows of ``x``, an integer n for those of the first n rows, or "population"
            for the recorded ones.

    Raises:
        SettingError: The forward pass would write running statistics or another buffer. Or parameters are given, and a
            checkpoint would compute a part again with others.

    >>> net, x = nn.Linear(3, 2), torch.ones(4, 3)
    >>> zeros = {"weight": torch.zeros(2, 3), "bias": torch.zeros(2)}
    >>> apply(net, x, zeros, statistics="batch")[0]
    tensor([0., 0.])
    """
    with normalised_by(statistics):
        return _call(net, x, params)


class Places(NamedTuple):
    """Names of the parts of a net.

    Attributes:
        parameters: Every parameter once, by its name in ``named_parameters``.
        names: Name of the parameter at every place that holds one; tied weights are one parameter in several places.
        foreign: Every module once that is not of this package or has hooks, and so may do anything.
    """

    parameters: dict[str, nn.Parameter]
    names: dict[str, str]
    foreign: dict[str, nn.Module]


def places(net: nn.Module) -> Places:
    """Return the names of the parts of a net. It walks the net once, since every call of a net needs them.

    >>> list(places(nn.Sequential(nn.Linear(2, 2), nn.Tanh())).names)
    ['0.weight', '0.bias']
    """
    result = Places({}, {}, {})
    seen: set[int] = set()
    first: dict[int, str] = {}

    def visit(module: nn.Module, prefix: str) -> None:
        seen.add(id(module))
        for name, p in own_parameters(module).items():
            if p is not None:
                full = prefix + name
                result.names[full] = first.setdefault(id(p), full)
                if result.names[full] == full:
                    result.parameters[full] = p
        known = type(module) in _PLAIN or is_ours(module)
        if not known or has_hooks(module):
            result.foreign[prefix[:-1]] = module
        for name, child in children(module).items():
            if child is not None and id(child) not in seen:
                visit(child, f"{prefix}{name}.")

    visit(net, "")
    return result


def weight_type(module: nn.Module) -> torch.dtype | None:
    """Return the number type of a module's first real weight, or None if it has no such weight.

    >>> weight_type(nn.Sequential(nn.Tanh(), nn.Linear(2, 2).double()))
    torch.float64
    """
    for p in own_parameters(module).values():
        if p is not None and p.is_floating_point():
            return p.dtype
    for child in children(module).values():
        dtype = None if child is None else weight_type(child)
        if dtype is not None:
            return dtype
    return None


def _call(net: nn.Module, x: Tree, params: dict[str, Tensor] | None) -> Tensor:
    at = places(net)
    given = params or {}
    replaced = {full: given[name] for full, name in at.names.items() if name in given} if given else {}
    weights = {name: given.get(name, p) for name, p in at.parameters.items()}
    dtype = next((w.dtype for w in weights.values() if w.is_floating_point()), None)
    if dtype is not None:
        # Nets of this package take real numbers; others may look whole numbers up in a table.
        x = mapped(lambda t: t.to(dtype) if t.dtype != dtype and (t.is_floating_point() or not at.foreign) else t, x)
    if not at.foreign:
        return cast(Tensor, functional_call(net, replaced, (x,), tie_weights=False) if replaced else net(x))
    moved = [full for full, w in replaced.items() if w is not at.parameters[at.names[full]]]
    return _called_with_copies(net, x, replaced, weights, at.foreign, _children(moved))


def _called_with_copies(
    net: nn.Module,
    x: Tree,
    replaced: dict[str, Tensor],
    weights: dict[str, Tensor],
    foreign: dict[str, nn.Module],
    moved: set[str],
) -> Tensor:
    """Return ``net(x)``, computed with copies of the buffers. Refuse a net that changes one, a weight or its input.

    If a weight has moved in a child of the net with unknown modules, hooks on saved tensors are refused.
    """
    buffers: dict[str, Tensor] = {}
    for prefix, module in foreign.items():
        _check_running_statistics(prefix, module)
        dot = f"{prefix}." if prefix else ""
        buffers |= {dot + name: b.clone() for name, b in own_buffers(module).items() if b is not None}
    watch = None if torch.compiler.is_compiling() else Watch(buffers, weights, leaves(x))
    norms = _ExactWeightNorm() if any(map(has_weight_norm, foreign.values())) else nullcontext()
    # torch.func refuses such hooks by itself.
    refuse = watch is not None and not inside_transform() and not moved.isdisjoint(_children(foreign))
    hooks = without_saved_tensor_hooks(_COMPUTED_AGAIN) if refuse else nullcontext()
    replaced |= buffers
    with norms, hooks:
        # Not tie_weights: torch would then leave the replacements in a module that has two names.
        out = functional_call(net, replaced, (x,), tie_weights=False) if replaced else net(x)
    if watch is not None:
        watch.check(replaced)
    return cast(Tensor, out)


def _children(names: Iterable[str]) -> set[str]:
    """Return the names of a net's children to which parts with some names belong."""
    return {name.partition(".")[0] for name in names}


class _ExactWeightNorm(TorchFunctionMode):
    """Weight normalisation by plain operations, since torch's own has a wrong second derivative."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if is_weight_norm(func):
            return plain_weight_norm(*args)
        return func(*args, **(kwargs or {}))


def _check_running_statistics(name: str, module: nn.Module) -> None:
    if module.training and isinstance(module, BATCH_NORMS | INSTANCE_NORMS) and module.running_mean is not None:
        raise SettingError(
            f"{type(module).__name__} {name!r} would change its running statistics in each task; use "
            f"qs.convert_norms(net), or fix the measured statistics: qs.Encoder(net, input_shape, frozen=False)"
        )


def is_ours(module: nn.Module) -> bool:
    """Return whether the class of a module is one of this package; its children are not considered."""
    return _is_ours(type(module))  # type: ignore[arg-type]  # a class is hashable, which mypy does not see


@cache
def _is_ours(cls: type[nn.Module]) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def has_foreign(module: nn.Module) -> bool:
    """Return whether any part of a module is unknown to this package, and so perhaps inexact under ``vmap``.

    >>> from quickstudy.nets import MLP
    >>> has_foreign(MLP()), has_foreign(nn.LayerNorm(3))
    (False, True)
    """
    return bool(places(module).foreign)


def usable(net: nn.Module) -> nn.Module:
    """Return the net, or refuse one that no learner can use.

    Raises:
        SettingError: The net's weights are complex, or a lazy layer has no weights yet.
    """
    for name, p in net.named_parameters():
        if isinstance(p, nn.parameter.UninitializedParameter):
            raise SettingError(f"{name!r} of the net is lazy and has no shape yet; call the net once: net(x)")
        if p.is_complex():
            raise SettingError(
                f"{name!r} of the net is complex, but losses here are real; give the net real weights "
                f"(torch.view_as_real)"
            )
    return net
