"""A learner as a folder of data: ``config.json`` says how to build it, ``model.safetensors`` holds its weights.

Nothing is unpickled. What is read is checked before it is used, and before memory is taken for it, and refused in one
line.
"""

from __future__ import annotations

import inspect
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_type_hints

import torch
from pydantic import ConfigDict, TypeAdapter, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from quickstudy.errors import ModelError, SettingError, unknown
from quickstudy.learners import LEARNERS, Learner
from quickstudy.nets import NETS

FORMAT = 1
"""Of ``config.json``; a folder with a higher number was written by a later version."""

_MAX_FILE, _MAX_JSON, _MAX_TENSORS = 2**30, 10**6, 10_000
_CODES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_STRICT = ConfigDict(strict=True, arbitrary_types_allowed=True)
_T = TypeVar("_T")

Kind = tuple[torch.dtype | None, Sequence[int] | None]
"""Number type and shape of a tensor; None for any."""


def describe(module: nn.Module) -> dict[str, Any]:
    """The name of a learner or net and its arguments, as plain data.

    >>> from quickstudy.nets import MLP
    >>> describe(MLP(2, (8,)))
    {'name': 'mlp', 'in_features': 2, 'hidden': [8], 'activation': 'relu'}
    """
    known = {cls: name for registry in (LEARNERS, NETS) for name, cls in registry.items()}
    if type(module) not in known:
        raise ModelError(f"{type(module).__name__} is not registered; add it to quickstudy.LEARNERS or quickstudy.NETS")
    config: dict[str, Any] = {"name": known[type(module)]}
    for argument in inspect.signature(type(module).__init__).parameters:
        if argument != "self":
            value = getattr(module, argument)
            value = describe(value) if isinstance(value, nn.Module) else value
            config[argument] = list(value) if isinstance(value, tuple) else value
    return config


def build(config: dict[str, Any]) -> Learner:
    """The learner that ``describe`` described, with fresh weights.

    >>> build({"name": "prototypical", "net": {"name": "mlp", "in_features": 2, "hidden": [8]}}).net.out_features
    8
    """
    learner = _build("algorithm", LEARNERS, config)
    assert isinstance(learner, Learner)
    return learner


def _build(kind: str, registry: dict[str, Any], config: dict[str, Any]) -> nn.Module:
    arguments = dict(config)
    name = arguments.pop("name", None)
    if not isinstance(name, str) or name not in registry:
        raise ModelError(unknown(kind, _short(name, str), registry))
    try:
        if isinstance(arguments.get("net"), dict):
            arguments["net"] = _build("net", NETS, arguments["net"])
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
    _blank(described)  # what could not be read again is refused before it is written
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in learner.state_dict().items()}
    replace(folder / "model.safetensors", save_tensors(tensors))
    config = {"format": FORMAT, "learner": described, **extra}
    replace(folder / "config.json", json.dumps(config, indent=2).encode())


def load(folder: Path | str) -> Learner:
    """The learner in a folder, ready to predict (in evaluation mode).

    Raises:
        ModelError: A file is missing, damaged, a link, absurdly large, of a later format, or does not fit the other.
    """
    described = read_config(folder)["learner"]
    path = Path(folder) / "model.safetensors"
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and replaced at once
        try:
            expected = _blank(described).state_dict()
        except ModelError as error:
            raise ModelError(f"{Path(folder) / 'config.json'}: {error}") from error
        tensors = read_tensors(path, {name: (tensor.dtype, tensor.shape) for name, tensor in expected.items()})
        learner = build(described)
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{path}: {name!r} holds NaN or infinity; train again")
    learner.load_state_dict(tensors)
    return learner.eval()


def read_config(folder: Path | str) -> dict[str, Any]:
    """``config.json`` of a model folder, checked."""
    path = Path(folder) / "config.json"
    if not os.path.lexists(path):
        raise ModelError(f"no model in {str(folder)!r}: config.json is missing; give the folder of a run")
    with _plain_file(path, _MAX_JSON) as file:
        config = _json(path, file.read())
    if not isinstance(config, dict) or not isinstance(config.get("learner"), dict):
        raise ModelError(f"{path} is no model config: it has no 'learner'")
    if config.get("format") != FORMAT:
        found = _short(config.get("format"))
        raise ModelError(f"{path} has format {found}, this version reads {FORMAT}; upgrade quickstudy")
    return config


def read_tensors(path: Path, expected: Mapping[str, Kind]) -> dict[str, Tensor]:
    """Tensors of a safetensors file, if they are those expected; what they are is known before they are read.

    Args:
        path: A plain file of at most 1 GiB.
        expected: Type and shape of each tensor, by name; -1 for a number of rows of any size.

    Raises:
        ModelError: The file is none, or holds something else.
    """
    with _plain_file(path, _MAX_FILE) as file:
        size = int.from_bytes(file.read(8), "little")
        if size > _MAX_JSON:
            raise ModelError(f"{path} cannot be read: its header has {size} bytes, {_MAX_JSON} at most; copy it again")
        header = _json(path, file.read(size))  # which must name no tensor twice, as safetensors would allow
        if not isinstance(header, dict) or len(header) > _MAX_TENSORS:
            raise ModelError(f"{path} cannot be read: its header does not name at most {_MAX_TENSORS} tensors")
        names = header.keys() - {"__metadata__"}
        for name in sorted(names ^ expected.keys()):
            raise ModelError(f"{path}: tensor {_short(name)} is {'missing' if name in expected else 'unexpected'}")
        try:
            with safe_open(path, "pt") as tensors:
                for name, (dtype, shape) in expected.items():
                    part = tensors.get_slice(name)
                    code, found = part.get_dtype(), part.get_shape()
                    rows = int(shape is not None and tuple(shape[:1]) == (-1,))
                    if shape is not None and (len(found) != len(shape) or found[rows:] != list(shape[rows:])):
                        raise ModelError(f"{path}: {name!r} has shape {_short(found)}, config.json says {list(shape)}")
                    if dtype is not None and _CODES.get(dtype) != code:
                        raise ModelError(f"{path}: {name!r} holds {code}, config.json says {_CODES.get(dtype, dtype)}")
                return {name: tensors.get_tensor(name) for name in expected}
        except (OSError, SafetensorError) as error:
            raise ModelError(f"{path} cannot be read: {_line(error)}") from error


@contextmanager
def _plain_file(path: Path, most: int) -> Iterator[BinaryIO]:
    """A file to read that is no link, no device, lies in its folder and is not larger than it may be."""
    try:
        about = path.lstat()
        if not stat.S_ISREG(about.st_mode):
            raise ModelError(f"{path} is a link or no file at all; put the file itself there")
        if about.st_size > most:
            raise ModelError(f"{path} has {about.st_size} bytes, {most} at most; it is no model of this kind")
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise ModelError(f"{path} cannot be read: {error.strerror or error}") from error


def _json(path: Path, content: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            raise ValueError("a name stands there twice")
        return found

    try:
        return json.loads(content, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {_line(error)}") from error


def _line(error: Exception) -> str:
    return _short(" ".join(str(error).split()), str)


def _short(value: object, form: Callable[[object], str] = repr) -> str:
    text = form(value)
    return text if len(text) <= 200 else f"{text[:200]}..."


def replace(path: Path, content: bytes) -> None:
    """Write a file so that it is there whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)
