"""A call of any net as a pure function of its weights and inputs."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.overrides import TorchFunctionMode

from quickstudy.errors import SettingError
from quickstudy.nets.statistics import Statistics, normalised_by
from quickstudy.tree import Tree, tree_map

_PLAIN = (
    nn.Linear,
    nn.Conv2d,
    nn.Sequential,
    nn.ModuleList,
    nn.ParameterList,
    nn.ReLU,
    nn.GELU,
    nn.Flatten,
    nn.LSTMCell,
)
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


def _call(net: nn.Module, x: Tree, params: dict[str, Tensor] | None) -> Tensor:
    given = params or {}
    replaced: dict[str, Tensor] = {}
    buffers: dict[str, Tensor] = {}
    names: dict[int, str] = {}
    dtype: torch.dtype | None = None
    normed = False
    for prefix, module in net.named_modules():
        dot = f"{prefix}." if prefix else ""
        for name, p in module._parameters.items():
            if p is not None:
                # Tied weights are one parameter in several places; it is named after the first.
                tensor = given.get(names.setdefault(id(p), dot + name))
                if tensor is not None:
                    replaced[dot + name] = tensor
                if dtype is None and (p if tensor is None else tensor).is_floating_point():
                    dtype = (p if tensor is None else tensor).dtype
        normed = normed or _has_weight_norm(module)
        if module._buffers and not is_ours(module):
            _check_running_statistics(prefix, module)
            buffers |= {dot + name: b.clone() for name, b in module._buffers.items() if b is not None}
    if dtype is not None:
        x = tree_map(lambda t: t.to(dtype) if t.is_floating_point() else t, x)
    with _ExactWeightNorm() if normed else nullcontext():
        return _replaced(net, x, replaced, buffers)


def _replaced(net: nn.Module, x: Tree, replaced: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
    """``net(x)`` with other tensors under some names."""
    if not replaced and not buffers:
        return cast(Tensor, net(x))
    before = {name: (b, b._version) for name, b in buffers.items()}
    # Not tie_weights: torch would then leave replacements in a module that has two names.
    replaced |= buffers
    out = functional_call(net, replaced, (x,), tie_weights=False)
    for name, (b, version) in before.items():
        if replaced[name] is not b or b._version != version:
            raise SettingError(
                f"the net's forward pass changes its buffer {name!r}, so a task would depend on those before it; keep "
                f"the buffer as it is by wrapping the net: qs.Encoder(net, input_shape, frozen=False)"
            )
    return cast(Tensor, out)


class _ExactWeightNorm(TorchFunctionMode):
    """Weight normalisation by plain operations: the second derivative of torch's own (2.13) is wrong by percents."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is torch._weight_norm:
            v, g, dim = args
            return v * (g / torch.norm_except_dim(v, 2, dim))
        return func(*args, **(kwargs or {}))


def _has_weight_norm(module: nn.Module) -> bool:
    hooks = module._forward_pre_hooks.values()
    return type(module).__name__ == "_WeightNorm" or any(type(hook).__name__ == "WeightNorm" for hook in hooks)


def _check_running_statistics(name: str, module: nn.Module) -> None:
    norms = (nn.modules.batchnorm._BatchNorm, nn.modules.instancenorm._InstanceNorm)
    if module.training and isinstance(module, norms) and module.running_mean is not None:
        raise SettingError(
            f"{type(module).__name__} {name!r} would change its running statistics in each task; use "
            f"qs.convert_norms(net), or keep what was measured elsewhere: qs.Encoder(net, input_shape, frozen=False)"
        )


def is_ours(module: nn.Module) -> bool:
    """Return whether a module, without those inside it, is a class of this package."""
    return type(module).__module__.partition(".")[0] == __name__.partition(".")[0]


def has_foreign(module: nn.Module) -> bool:
    """Return whether any part of a module is one that this package does not know to be exact under ``vmap``.

    >>> from quickstudy.nets import MLP
    >>> has_foreign(MLP()), has_foreign(nn.LayerNorm(3))
    (False, True)
    """
    return not all(type(part) in _PLAIN or is_ours(part) for part in module.modules())


def check_net(net: nn.Module) -> nn.Module:
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
