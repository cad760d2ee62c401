"""Tensors in a file of the safetensors format, known before they are read and checked against a sum afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from quickstudy.errors import ModelError
from quickstudy.io.files import MAX_JSON, parse_json, plain_file

_MAX_FILE, _MAX_TENSORS = 2**30, 10_000
_CODES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip

Kind = tuple[torch.dtype | None, Sequence[int] | None]
"""Number type and shape of a tensor; None for any, and -1 for any number of rows."""


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Content of a file of tensors; it carries the SHA-256 of what it holds.

    >>> len(pack({"x": torch.zeros(2)})) > 8
    True
    """
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    return save(plain, metadata={"sha256": _digest(plain)})


def unpack(path: Path, expected: Mapping[str, Kind]) -> dict[str, Tensor]:
    """The tensors of a file, if they are those expected.

    Args:
        path: A plain file of at most 1 GiB, written by ``pack``.
        expected: Number type and shape of each tensor, by name; looked at before memory is taken.

    Raises:
        ModelError: The file is none, or holds something else than it did or should.
    """
    with plain_file(path, _MAX_FILE) as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_JSON:
            raise ModelError(f"{path} cannot be read: its header has {size} bytes, {MAX_JSON} at most; copy it again")
        header = parse_json(path, file.read(size))  # in which safetensors would let a name stand twice
    if not isinstance(header, dict) or len(header) > _MAX_TENSORS:
        raise ModelError(f"{path} cannot be read: its header does not name {_MAX_TENSORS} tensors at most")
    for name in sorted((header.keys() - {"__metadata__"}) ^ expected.keys()):
        raise ModelError(f"{path}: tensor {name[:80]!r} is {'missing' if name in expected else 'unexpected'}")
    try:
        with safe_open(path, "pt") as file:
            for name, (dtype, shape) in expected.items():
                part = file.get_slice(name)
                code, found = part.get_dtype(), part.get_shape()
                rows = int(shape is not None and tuple(shape[:1]) == (-1,))
                if shape is not None and (len(found) != len(shape) or found[rows:] != list(shape[rows:])):
                    raise ModelError(f"{path}: {name!r} has shape {found}, config.json says {list(shape)}")
                if dtype is not None and _CODES.get(dtype) != code:
                    raise ModelError(f"{path}: {name!r} holds {code}, config.json says {_CODES.get(dtype, dtype)}")
            tensors = {name: file.get_tensor(name) for name in expected}
            sha256 = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {' '.join(str(error).split())[:200]}") from error
    if sha256 != _digest(tensors):
        raise ModelError(f"{path} is not as it was written: its SHA-256 differs; copy it again")
    return tensors


def _digest(tensors: Mapping[str, Tensor]) -> str:
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        sha.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return sha.hexdigest()
