"""A learner as a folder of data: ``config.json`` says how to build it, ``model.safetensors`` holds its weights.

Nothing is unpickled. What is read is checked before it is used, and refused in one line.
"""

from __future__ import annotations

import inspect
import json
import os
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import Tensor, nn

from quickstudy.errors import ModelError, unknown
from quickstudy.learners import LEARNERS, Learner
from quickstudy.nets import NETS

FORMAT = 1
"""Of ``config.json``; a folder with a higher number was written by a later version."""


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
        raise ModelError(unknown(kind, str(name), registry))
    if isinstance(arguments.get("net"), dict):
        arguments["net"] = _build("net", NETS, arguments["net"])
    try:
        module: nn.Module = registry[name](**arguments)
    except Exception as error:  # whatever a constructor makes of arguments that nobody checked
        reason = " ".join(str(error).split())
        raise ModelError(f"{kind} {name!r} cannot be built from its config: {reason}") from error
    return module


def save(learner: Learner, folder: Path | str, **extra: Any) -> None:
    """Write a learner to a folder, each file replaced at once.

    Args:
        learner: Of a class in ``LEARNERS``.
        folder: Created if missing.
        extra: More entries of ``config.json``, plain data.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in learner.state_dict().items()}
    replace(folder / "model.safetensors", save_tensors(tensors))
    config = {"format": FORMAT, "learner": describe(learner), **extra}
    replace(folder / "config.json", json.dumps(config, indent=2).encode())


def load(folder: Path | str) -> Learner:
    """The learner in a folder, ready to predict (in evaluation mode).

    Raises:
        ModelError: A file is missing, damaged, of a later format, or does not fit the other.
    """
    with torch.random.fork_rng(devices=[]):  # fresh weights are drawn, and replaced at once
        learner = build(read_config(folder)["learner"])
    load_weights(learner, Path(folder) / "model.safetensors")
    return learner.eval()


def read_config(folder: Path | str) -> dict[str, Any]:
    """``config.json`` of a model folder, checked."""
    path = Path(folder) / "config.json"
    try:
        config = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise ModelError(f"no model in {str(folder)!r}: config.json is missing; give the folder of a run") from None
    except (OSError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error
    if not isinstance(config, dict) or not isinstance(config.get("learner"), dict):
        raise ModelError(f"{path} is no model config: it has no 'learner'")
    if config.get("format") != FORMAT:
        raise ModelError(f"{path} has format {config.get('format')!r}, this version reads {FORMAT}; upgrade quickstudy")
    return config


def load_weights(learner: nn.Module, path: Path) -> None:
    """Fill a learner with the tensors of a file, which must fit name by name."""
    tensors = read_tensors(path)
    expected = learner.state_dict()
    if tensors.keys() != expected.keys():
        name = sorted(tensors.keys() ^ expected.keys())[0]
        raise ModelError(f"{path}: tensor {name!r} is {'missing' if name in expected else 'unexpected'}")
    for name, tensor in tensors.items():
        want = expected[name]
        if tensor.shape != want.shape or tensor.dtype != want.dtype:
            raise ModelError(
                f"{path}: {name!r} is {tensor.dtype} {list(tensor.shape)}, config.json says {want.dtype} "
                f"{list(want.shape)}"
            )
        if not bool(torch.isfinite(tensor).all()):
            raise ModelError(f"{path}: {name!r} holds NaN or infinity")
    learner.load_state_dict(tensors)


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file."""
    try:
        return load_tensors(path.read_bytes())
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {error}") from error


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
