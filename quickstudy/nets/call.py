"""A call of any net as a pure function of its weights and inputs."""

from __future__ import annotations

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
    is_weight_norm,
    own_buffers,
    own_parameters,
    plain_weight_norm,
    version,
)
from quickstudy.nets.statistics import Statistics, normalised_by
from quickstudy.tasks.tree import Tree, mapped

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
"""Torch's modules that the nets of this package are made of, all exact under ``vmap``."""


def apply(net: nn.Module, x: Tree, params: dict[str, Tensor] | None = None, *, statistics: Statistics) -> Tensor:
    """Return ``net(x)``, with other parameters where given and with the batch statistics chosen.

    The net stays as it was: a parameter that it reaches by two names is replaced under both, and a forward pass that
    would change a buffer is refused, since a task would then depend on the tasks before it.

    Args:
        net: Any module; those without ``BatchNorm`` ignore ``statistics``.
        x: Inputs, (n, *input), or a tree of tensors; real numbers are brought to the type of the net's weights, whole
            numbers stay.
        params: Replacements for the net's parameters, under the names of ``named_parameters``.
        statistics: "batch": of all rows of ``x``. An integer n: of the first n rows. "population": as recorded.

    Raises:
        SettingError: The forward pass would write running statistics or another buffer.
    """
    with normalised_by(statistics):
        return _call(net, x, params)


class Places(NamedTuple):
    """Where the parts of a net lie.

    Attributes:
        parameters: Every parameter once, as ``named_parameters`` names it.
        names: That name, of every place that holds a parameter: tied weights are one parameter in several places.
        foreign: Every module that is not of this package or has hooks, which may do anything, once.
    """

    parameters: dict[str, nn.Parameter]
    names: dict[str, str]
    foreign: dict[str, nn.Module]


def places(net: nn.Module) -> Places:
    """Return where the parts of a net lie, in one walk, for it is asked at every call.

    >>> list(places(nn.Sequential(nn.Linear(2, 2), nn.Tanh())).names)
    ['0.weight', '0.bias']
    """
    found = Places({}, {}, {})
    seen: set[int] = set()
    first: dict[int, str] = {}

    def visit(module: nn.Module, prefix: str) -> None:
        seen.add(id(module))
        for name, p in own_parameters(module).items():
            if p is not None:
                place = prefix + name
                found.names[place] = first.setdefault(id(p), place)
                if found.names[place] == place:
                    found.parameters[place] = p
        known = type(module) in _PLAIN or is_ours(module)
        if not known or has_hooks(module):
            found.foreign[prefix[:-1]] = module
        for name, child in children(module).items():
            if child is not None and id(child) not in seen:
                visit(child, f"{prefix}{name}.")

    visit(net, "")
    return found


def weight_type(module: nn.Module) -> torch.dtype | None:
    """Return the number type of a module's first real weight, None without any.

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
    replaced = {place: given[name] for place, name in at.names.items() if name in given} if given else {}
    weights = (given.get(name, p) for name, p in at.parameters.items())
    dtype = next((p.dtype for p in weights if p.is_floating_point()), None)
    if dtype is not None:
        x = mapped(lambda t: t.to(dtype) if t.dtype != dtype and t.is_floating_point() else t, x)
    if not at.foreign:
        return cast(Tensor, functional_call(net, replaced, (x,), tie_weights=False) if replaced else net(x))
    return _called_with_copies(net, x, replaced, at.foreign)


def _called_with_copies(net: nn.Module, x: Tree, replaced: dict[str, Tensor], foreign: dict[str, nn.Module]) -> Tensor:
    """``net(x)`` with copies of its buffers, which must come out as they went in."""
    buffers: dict[str, Tensor] = {}
    for prefix, module in foreign.items():
        _check_running_statistics(prefix, module)
        dot = f"{prefix}." if prefix else ""
        buffers |= {dot + name: b.clone() for name, b in own_buffers(module).items() if b is not None}
    before = {name: (b, version(b)) for name, b in buffers.items()}
    replaced |= buffers
    with _ExactWeightNorm() if any(map(has_weight_norm, foreign.values())) else nullcontext():
        # Not tie_weights: torch would then leave replacements in a module that has two names.
        out = functional_call(net, replaced, (x,), tie_weights=False) if replaced else net(x)
    for name, (b, count) in before.items():
        if replaced[name] is not b or version(b) != count:
            raise SettingError(
                f"the net's forward pass changes its buffer {name!r}, so a task would depend on those before it; keep "
                f"the buffer as it is by wrapping the net: qs.Encoder(net, input_shape, frozen=False)"
            )
    return cast(Tensor, out)


class _ExactWeightNorm(TorchFunctionMode):
    """Weight normalisation by plain operations: the second derivative of torch's own (2.13) is wrong by percents."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if is_weight_norm(func):
            return plain_weight_norm(*args)
        return func(*args, **(kwargs or {}))


def _check_running_statistics(name: str, module: nn.Module) -> None:
    if module.training and isinstance(module, BATCH_NORMS | INSTANCE_NORMS) and module.running_mean is not None:
        raise SettingError(
            f"{type(module).__name__} {name!r} would change its running statistics in each task; use "
            f"qs.convert_norms(net), or keep what was measured elsewhere: qs.Encoder(net, input_shape, frozen=False)"
        )


def is_ours(module: nn.Module) -> bool:
    """Return whether a module, without those inside it, is a class of this package."""
    return _is_ours(type(module))  # type: ignore[arg-type]  # a class is hashable, which mypy does not see


@cache
def _is_ours(cls: type[nn.Module]) -> bool:
    return cls.__module__.partition(".")[0] == __name__.partition(".")[0]


def has_foreign(module: nn.Module) -> bool:
    """Return whether any part of a module is one that this package does not know to be exact under ``vmap``.

    >>> from quickstudy.nets import MLP
    >>> has_foreign(MLP()), has_foreign(nn.LayerNorm(3))
    (False, True)
    """
    return bool(places(module).foreign)


def usable(net: nn.Module) -> nn.Module:
    """Return the net, or refuse one that no learner can take.

    Raises:
        SettingError: Its weights are complex, or a lazy layer has none yet.
    """
    for name, p in net.named_parameters():
        if isinstance(p, nn.parameter.UninitializedParameter):
            raise SettingError(f"{name!r} of the net is lazy and has no shape yet; call the net once: net(x)")
        if p.is_complex():
            raise SettingError(
                f"{name!r} of the net is complex, and losses here are real; give the net real weights "
                f"(torch.view_as_real)"
            )
    return net
