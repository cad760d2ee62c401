"""State of a learner as plain data, and a new learner with that state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from quickstudy.errors import ModelError, one_line
from quickstudy.io.tensors import CODES, Kind
from quickstudy.learners import Learner
from quickstudy.models.build import blank, build, describe
from quickstudy.models.seal import TOLERANCE, difference, probe_of
from quickstudy.nets.copies import copied

_FLAGS = {"frozen": False, "unfrozen": True}
"""Entries of the config for weights whose ``requires_grad`` was changed after ``__init__``, and its value."""


class Saved(NamedTuple):
    """Learner as plain data.

    Attributes:
        config: Entries of ``config.json`` that describe it.
        tensors: Tensors of its state. Tied weights are one tensor, under their first name.
        probe: Answers of a new learner with this state, by ``probe_of``.
    """

    config: dict[str, Any]
    tensors: dict[str, Tensor]
    probe: dict[str, Tensor]


def saved(learner: Learner) -> Saved:
    """Return a learner as plain data. It is loaded from them as a trial, so that what cannot be loaded is refused.

    Raises:
        ModelError: The learner or its net is not registered, or could not be loaded as it is.
        SettingError: An argument of ``__init__`` is not an attribute.

    >>> from quickstudy.learners import Prototypical
    >>> from quickstudy.nets import MLP
    >>> list(saved(Prototypical(MLP(2, (8,)))).tensors)
    ['net.layers.0.weight', 'net.layers.0.bias']
    """
    where = f"{type(learner).__name__}: "
    config: dict[str, Any] = {"learner": describe(learner), "balanced": bool(learner.balanced)}
    try:
        described = json.loads(json.dumps(config["learner"]))
    except (TypeError, ValueError) as error:
        raise ModelError(
            f"{where}an argument of an __init__ cannot be saved ({one_line(error)}); use numbers, words or lists"
        ) from error
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.seed()  # a random buffer must differ from the learner's, whose seed may be the caller's
        fresh, twin = blank(described), build(described)
    tensors = _tensors(learner, fresh, where)
    trained = {name: p.requires_grad for name, p in fresh.named_parameters()}
    for entry, flag in _FLAGS.items():
        changed = [name for name, p in learner.named_parameters() if p.requires_grad is flag is not trained[name]]
        if changed:
            config[entry] = changed
    fill(twin, tensors, config, where)
    twin.balanced = learner.balanced
    persistent, again = fresh.state_dict(), dict(twin.named_buffers())
    for name, buffer in learner.named_buffers():
        if name not in persistent and not (name in again and _close(buffer, again[name])):
            raise ModelError(
                f"{where}buffer {name!r} is not persistent, and differs when the learner is built again; register it "
                f"with persistent=True"
            )
    probe = probe_of(twin.eval())
    if probe and not difference(copied(learner).cpu().eval(), probe) <= TOLERANCE:
        raise ModelError(
            f"{where}it answers differently when it is loaded, since something was changed after __init__ or is random "
            f"there; make it an argument of __init__ or a buffer of the net"
        )
    return Saved(config, tensors, probe)


def kinds(learner: Learner) -> dict[str, Kind]:
    """Return the number type and shape of each tensor that is saved of a learner, by name."""
    names, state = _first_names(learner), learner.state_dict()
    return {name: (state[name].dtype, state[name].shape) for name, first in names.items() if name == first}


def fill(learner: Learner, tensors: Mapping[str, Tensor], config: Mapping[str, Any], where: str) -> None:
    """Give a new learner the state of a saved one.

    Args:
        learner: Learner with the names, number types and shapes of the tensors.
        tensors: Tensors that were saved.
        config: Config with the entries "frozen" and "unfrozen", if any.
        where: Beginning of the message of an error.

    Raises:
        ModelError: A tensor is not finite, unless it is a buffer that is so in a new learner. Or an entry is invalid.
    """
    start = learner.state_dict(keep_vars=True)
    for name, tensor in tensors.items():
        odd = ~torch.isfinite(tensor)
        if bool(odd.any()):
            new = start[name]
            if isinstance(new, nn.Parameter) or not torch.equal(tensor[odd], new[odd]):  # a causal mask has -inf
                raise ModelError(f"{where}{name!r} holds NaN or infinity; train again")
    learner.load_state_dict({name: tensors[first] for name, first in _first_names(learner).items()})
    weights = {name: p for name, p in learner.named_parameters() if p.is_floating_point() or p.is_complex()}
    for entry, flag in _FLAGS.items():
        names = config.get(entry, [])
        if not isinstance(names, list) or not all(isinstance(name, str) and name in weights for name in names):
            raise ModelError(
                f"{where}{entry} = {one_line(repr(names))} in config.json, but not all are weights; train again"
            )
        for name in names:
            weights[name].requires_grad_(flag)


def _tensors(learner: Learner, fresh: Learner, where: str) -> dict[str, Tensor]:
    """Return the tensors of a learner that a new one of the same arguments has too, or refuse them."""
    state, new = (each.state_dict(keep_vars=True) for each in (learner, fresh))
    own, names = _first_names(learner), _first_names(fresh)
    for name in [*state, *new]:
        if name not in new or name not in state:
            raise ModelError(
                f"{where}{name!r} is {'not in' if name in state else 'missing, unlike in'} a new learner of the same "
                f"arguments; make each weight and buffer in __init__ (after pruning, call prune.remove)"
            )
        tensor = state[name]
        if not isinstance(tensor, Tensor):
            raise ModelError(
                f"{where}{name!r} is of type {type(tensor).__name__}, but a state holds tensors; use arguments of "
                f"__init__ or buffers in place of get_extra_state"
            )
        if tensor.dtype not in CODES:
            raise ModelError(
                f"{where}{name!r} holds {tensor.dtype}, which cannot be saved; use another number type, and two real "
                f"numbers for a complex one (torch.view_as_real)"
            )
        if (tensor.dtype, tensor.shape) != (new[name].dtype, new[name].shape):
            raise ModelError(
                f"{where}{name!r} is {tensor.dtype}, {list(tensor.shape)}, but {new[name].dtype}, "
                f"{list(new[name].shape)} in a new learner of the same arguments; change type and shape in __init__"
            )
        if own[name] != names[name] and (
            isinstance(tensor, nn.Parameter) or not torch.equal(tensor, state[names[name]])
        ):
            raise ModelError(f"{where}{name!r} was tied or untied after __init__; tie weights and buffers in __init__")
    return {name: state[name].detach().cpu() for name, first in names.items() if name == first}


def _first_names(module: nn.Module) -> dict[str, str]:
    """Return the first name of each tensor of a state, by each of its names: tied weights have several."""
    first: dict[int, str] = {}
    state = module.state_dict(keep_vars=True)  # without keep_vars, no two names have the same object
    return {name: first.setdefault(id(tensor), name) for name, tensor in state.items()}


def _close(a: Tensor, b: Tensor) -> bool:
    """Return whether two buffers are equal but for the rounding of the device on which they were computed."""
    return a.shape == b.shape and torch.allclose(a.cpu().to(b), b, equal_nan=True)
