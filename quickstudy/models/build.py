"""A learner as a folder of data: ``config.json`` says how to build it, ``model.safetensors`` holds its weights.

Nothing is unpickled. What is read is checked before it is used, and before memory is taken for it, and refused in one
line.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import nn

from quickstudy.errors import ModelError, SettingError, unknown
from quickstudy.io.files import read_json, replace
from quickstudy.io.tensors import pack, unpack
from quickstudy.learners import LEARNERS, Learner
from quickstudy.nets import NETS
from quickstudy.registry import Registry

FORMAT = 1
"""Of ``config.json``; a folder with a higher number was written by a later version."""

SHIPPED = Path(__file__).parent / "shipped"
"""Models that come with quickstudy, each a folder of its name."""

_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
_T = TypeVar("_T")


def describe(module: nn.Module) -> dict[str, Any]:
    """The name of a learner or net and its arguments, as plain data.

    >>> from quickstudy.nets import MLP
    >>> describe(MLP(2, (8,)))
    {'name': 'mlp', 'in_features': 2, 'hidden': [8], 'activation': 'relu'}
    """
    cls: type[Any] = type(module)
    where, registry = ("LEARNERS", LEARNERS) if isinstance(module, Learner) else ("NETS", NETS)
    name = registry.name_of(cls)
    if name is None:
        raise ModelError(
            f"{cls.__name__} is not registered; add it by quickstudy.{where}.register(name, {cls.__name__})"
        )
    config: dict[str, Any] = {"name": name}
    for argument in inspect.signature(cls.__init__).parameters:
        if argument != "self":
            if not hasattr(module, argument):
                raise SettingError(
                    f"{cls.__name__} has no attribute {argument!r}, an argument of its __init__; keep it as such"
                )
            value = getattr(module, argument)
            value = describe(value) if isinstance(value, nn.Module) else value
            config[argument] = list(value) if isinstance(value, tuple) else value
    return config


def build(config: dict[str, Any]) -> Learner:
    """The learner that ``describe`` described, with fresh weights.

    >>> build({"name": "prototypical", "net": {"name": "mlp", "in_features": 2, "hidden": [8]}}).net.out_features
    8
    """
    learner = _build(LEARNERS, config)
    assert isinstance(learner, Learner)
    return learner


def _build(registry: Registry[Any], config: dict[str, Any]) -> nn.Module:
    arguments = dict(config)
    name, kind = arguments.pop("name", None), registry.noun
    if not isinstance(name, str) or name not in registry:
        raise ModelError(f"{unknown(kind, _short(name, str), registry)}; a package that adds it may be missing here")
    try:
        if isinstance(arguments.get("net"), dict):
            arguments["net"] = _build(NETS, arguments["net"])
        module: nn.Module = construct(registry[name], arguments)
    except ModelError:
        raise
    except Exception as error:  # whatever a constructor makes of arguments that fit one by one
        raise ModelError(f"{kind} {name!r} cannot be built from its config: {_line(error)}") from error
    return module


def construct(cls: type[_T], arguments: dict[str, Any]) -> _T:
    """``cls(**arguments)``, if each is of its annotated type and no number asks for absurd memory or time.

    >>> from quickstudy.nets import MLP
    >>> construct(MLP, {"hidden": [10**9]})
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: hidden=[1000000000] is out of range; at most 100 numbers, none beyond 1000000
    """
    try:
        hints = get_type_hints(cls.__init__)
    except NameError:  # names that only a type checker imports
        hints = {}
    for name, value in arguments.items():
        several = value if isinstance(value, list) else [value]
        try:
            given = tuple(value) if isinstance(value, list) else value
            TypeAdapter(hints.get(name, Any), config=_STRICT).validate_python(given)
        except ValidationError as error:
            raise SettingError(f"{name}={_short(value)}: {error.errors()[0]['msg']}") from None
        most = 10_000 if name.endswith("steps") else 4_000 if name == "size" else 1_000_000
        numbers = [each for each in several if isinstance(each, int | float)]
        if len(several) > 100 or not all(abs(number) <= most for number in numbers):
            raise SettingError(f"{name}={_short(value)} is out of range; at most 100 numbers, none beyond {most}")
    return cls(**arguments)


def _blank(config: dict[str, Any]) -> Learner:
    """The learner without memory for weights, so that what they must be is known before any is made or read."""
    with torch.device("meta"):
        return build(config)


def save(learner: Learner, folder: Path | str, **extra: Any) -> None:
    """Write a learner to a folder, each file replaced at once.

    Args:
        learner: Of a class in ``LEARNERS``.
        folder: Created if missing.
        extra: More entries of ``config.json``, plain data.
    """
    described = describe(learner)
    fresh = dict(_blank(described).named_parameters())  # what could not be read again is refused before it is written
    frozen = [name for name, p in learner.named_parameters() if not p.requires_grad and fresh[name].requires_grad]
    if frozen:  # by hand: the inner loop leaves them as they are, also after loading
        extra["frozen"] = frozen
    folder = Path(folder)
    replace(folder / "model.safetensors", pack(learner.state_dict()))
    config = {"format": FORMAT, "learner": described, **extra}
    replace(folder / "config.json", json.dumps(config, indent=2).encode())


def amend(folder: Path | str, **extra: Any) -> None:
    """Put more entries into a folder's ``config.json``, or others in place of those there."""
    replace(Path(folder) / "config.json", json.dumps(read_config(folder) | extra, indent=2).encode())


def locate(model: Path | str) -> Path:
    """The folder of a model: of one that comes with quickstudy where it is named, and else the path itself.

    >>> locate("glyphs-proto").parent.name, locate("runs/mine")
    ('shipped', PosixPath('runs/mine'))
    """
    named = SHIPPED / str(model)
    return named if named.parent == SHIPPED and named.is_dir() and not Path(model).exists() else Path(model)


def load(folder: Path | str) -> Learner:
    """The learner in a folder, or of a name that ``locate`` knows, ready to predict (in evaluation mode).

    Raises:
        ModelError: A file is missing, damaged, a link, absurdly large, of a later format, or does not fit the other.
    """
    folder = locate(folder)
    config = read_config(folder)
    described, frozen = config["learner"], config.get("frozen", [])
    path = Path(folder) / "model.safetensors"
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and replaced at once
        try:
            expected = _blank(described).state_dict()
        except ModelError as error:
            raise ModelError(f"{Path(folder) / 'config.json'}: {error}") from error
        tensors = unpack(path, {name: (tensor.dtype, tensor.shape) for name, tensor in expected.items()})
        learner = build(described)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{path}: {name!r} holds NaN or infinity; train again")
    learner.load_state_dict(tensors)
    parameters = dict(learner.named_parameters())
    if not isinstance(frozen, list) or not all(isinstance(name, str) and name in parameters for name in frozen):
        raise ModelError(f"{Path(folder) / 'config.json'} says frozen = {_short(frozen)}, but not all are weights")
    for name in frozen:
        parameters[name].requires_grad_(False)
    return learner.eval()


def read_config(folder: Path | str) -> dict[str, Any]:
    """``config.json`` of a model folder, checked."""
    path = locate(folder) / "config.json"
    if not os.path.lexists(path):
        names = ", ".join(sorted(shipped.name for shipped in SHIPPED.iterdir()))
        raise ModelError(
            f"no model in {str(folder)!r}: config.json is missing; give the folder of a run, or a name of: {names}"
        )
    config = read_json(path)
    if not isinstance(config, dict) or not isinstance(config.get("learner"), dict):
        raise ModelError(f"{path} is no model config: it has no 'learner'")
    if config.get("format") != FORMAT:
        found = _short(config.get("format"))
        raise ModelError(f"{path} has format {found}, this version reads {FORMAT}; upgrade quickstudy")
    return config


def _line(error: Exception) -> str:
    return _short(" ".join(str(error).split()), str)


def _short(value: object, form: Callable[[object], str] = repr) -> str:
    text = form(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
