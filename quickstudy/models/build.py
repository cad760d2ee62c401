"""Conversion of learners and nets to plain data (their names and arguments) and back."""

from __future__ import annotations

import inspect
from contextlib import suppress
from typing import Any, TypeVar, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from quickstudy.errors import ModelError, SettingError, one_line, unknown
from quickstudy.learners import LEARNERS, Learner
from quickstudy.nets import NETS
from quickstudy.registry import Registry

_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
_T = TypeVar("_T")


def describe(module: nn.Module) -> dict[str, Any]:
    """Return the name of a learner or net and its arguments, as plain data.

    Raises:
        ModelError: The learner or net is not registered.
        SettingError: An argument of ``__init__`` is not an attribute.

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
                    f"{cls.__name__} has no attribute {argument!r}, an argument of its __init__; save it in self"
                )
            value = getattr(module, argument)
            value = describe(value) if isinstance(value, nn.Module) else value
            config[argument] = list(value) if isinstance(value, tuple) else value
    return config


def build(config: dict[str, Any]) -> Learner:
    """Return the learner of a description by ``describe``, with new weights.

    Raises:
        ModelError: A name is unknown, or the arguments do not fit.

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
        raise ModelError(f"{unknown(kind, one_line(name), registry)}; a package that adds it may be missing here")
    try:
        if isinstance(arguments.get("net"), dict):
            arguments["net"] = _build(NETS, arguments["net"])
        module: nn.Module = construct(registry[name], arguments)
    except ModelError:
        raise
    except Exception as error:  # constructors may raise any error for a combination of valid arguments
        raise ModelError(f"{kind} {name!r} cannot be built from its config: {one_line(error)}") from error
    return module


def construct(cls: type[_T], arguments: dict[str, Any]) -> _T:
    """Return ``cls(**arguments)``. Check first that types match annotations and that no number is absurdly large.

    Raises:
        SettingError: An argument is of another type, or out of range.

    >>> from quickstudy.nets import MLP
    >>> construct(MLP, {"hidden": [10**9]})
    Traceback (most recent call last):
        ...
    quickstudy.errors.SettingError: hidden=(1000000000,) is out of range; at most 100 numbers, none beyond 1000000
    """
    hints: dict[str, Any] = {}
    base: Any
    for base in reversed(cls.__mro__[: cls.__mro__.index(nn.Module)] if issubclass(cls, nn.Module) else [cls]):
        with suppress(NameError):  # names that only a type checker imports
            hints |= get_type_hints(base.__init__)
    # JSON has no tuples, but arguments must compare equal to those that were saved.
    arguments = {name: tuple(value) if isinstance(value, list) else value for name, value in arguments.items()}
    for name, value in arguments.items():
        several = value if isinstance(value, tuple) else [value]
        try:
            TypeAdapter(hints.get(name, Any), config=_STRICT).validate_python(value)
        except ValidationError as error:
            raise SettingError(f"{name}={one_line(repr(value))}: {error.errors()[0]['msg']}") from None
        most = 10_000 if name.endswith("steps") else 4_000 if name == "size" else 1_000_000
        numbers = [each for each in several if isinstance(each, int | float)]
        if len(several) > 100 or not all(abs(number) <= most for number in numbers):
            raise SettingError(
                f"{name}={one_line(repr(value))} is out of range; at most 100 numbers, none beyond {most}"
            )
    return cls(**arguments)


def blank(config: dict[str, Any]) -> Learner:
    """Return the learner with little memory for weights, from which their names, types and shapes can be read.

    Raises:
        ModelError: A name is unknown, or the arguments do not fit.
    """
    with suppress(ModelError), torch.device("meta"):
        learner = build(config)
        if not any(map(nn.utils.parametrize.is_parametrized, learner.modules())):  # these start from values of weights
            return learner
    with _SmallTensors():
        return build(config)


class _SmallTensors(TorchFunctionMode):
    """Context in which a new tensor has values if it is small, and no memory if it is large.

    It is for nets whose ``__init__`` reads values, such as the rates of stochastic depth.
    """

    most = 1_000_000

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        with torch.device("meta"):
            result = func(*args, **kwargs)
        given = any(isinstance(each, Tensor) for each in (*args, *kwargs.values()))
        if given or not isinstance(result, Tensor) or not result.is_meta or result.numel() > self.most:
            return result
        return func(*args, **kwargs)
