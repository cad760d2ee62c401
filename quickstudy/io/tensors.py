"""Tensors in safetensors files: the header is checked before tensors are read, and a checksum afterwards."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from quickstudy.errors import ModelError, one_line
from quickstudy.io.files import MAX_JSON, parse_json, plain_file

MAX_FILE = 2**30
"""Largest size of a file of tensors that is read, in bytes."""
_MAX_TENSORS = 10_000
CODES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint64: "U64", torch.uint32: "U32",
    torch.uint16: "U16", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
"""Number types that can be saved, and their names in files. Older safetensors have no complex numbers."""

Kind = tuple[torch.dtype | None, Sequence[int] | None]
"""Number type and shape of a tensor. None means any, and -1 any number of rows."""


def pack(tensors: Mapping[str, Tensor]) -> bytes:
    """Return the content of a file of tensors, with their SHA-256 in its metadata.

    >>> len(pack({"x": torch.zeros(2)})) > 8
    True
    """
    plain = {name: unshared(tensor) for name, tensor in tensors.items()}
    return save(plain, metadata={"sha256": digest(plain)})


def unshared(tensor: Tensor) -> Tensor:
    """Return a contiguous copy of a tensor on the CPU. Safetensors refuses tensors that share memory.

    >>> unshared(torch.zeros(1).expand(3)).stride()
    (1,)
    """
    return tensor.detach().cpu().clone(memory_format=torch.contiguous_format)


def unpack(path: Path, expected: Mapping[str, Kind], most: int = MAX_FILE) -> dict[str, Tensor]:
    """Return the tensors of a file, and refuse any that are not expected.

    Args:
        path: Regular file, written by ``pack``.
        expected: Number type and shape of each tensor, by name; checked before memory is allocated.
        most: Largest size of the file, in bytes.

    Raises:
        ModelError: The file is not a file of tensors, was changed, or holds other tensors.
    """
    with plain_file(path, most) as file:
        size = int.from_bytes(file.read(8), "little")
        if size > MAX_JSON:
            raise ModelError(
                f"{path} cannot be read: its header has {size} bytes, but at most {MAX_JSON} are allowed; copy it again"
            )
        header = parse_json(path, file.read(size))  # safetensors would accept a duplicate name
    if not isinstance(header, dict) or len(header) > _MAX_TENSORS:
        raise ModelError(f"{path} cannot be read: its header is not an object of at most {_MAX_TENSORS} tensors")
    for name in sorted((header.keys() - {"__metadata__"}) ^ expected.keys()):
        raise ModelError(f"{path}: tensor {name[:80]!r} is {'missing' if name in expected else 'unexpected'}")
    try:
        with safe_open(path, "pt") as file:
            for name, (dtype, shape) in expected.items():
                part = file.get_slice(name)
                code, actual = part.get_dtype(), part.get_shape()
                rows = int(shape is not None and tuple(shape[:1]) == (-1,))
                if shape is not None and (len(actual) != len(shape) or actual[rows:] != list(shape[rows:])):
                    raise ModelError(f"{path}: {name!r} has shape {actual}, config.json says {list(shape)}")
                if dtype is not None and CODES.get(dtype) != code:
                    raise ModelError(f"{path}: {name!r} holds {code}, config.json says {CODES.get(dtype, dtype)}")
            tensors = {name: file.get_tensor(name) for name in expected}
            sha256 = (file.metadata() or {}).get("sha256")
    except (OSError, SafetensorError) as error:
        raise ModelError(f"{path} cannot be read: {one_line(error)}") from error
    if sha256 != digest(tensors):
        raise ModelError(f"{path} was changed: its SHA-256 differs; copy it again")
    return tensors


def joined_bytes(parts: Sequence[bytes]) -> tuple[Tensor, Tensor]:
    """Return the parts one after another, uint8, and where each ends, int64: texts and files among tensors.

    >>> joined_bytes([b"ab", b"", b"c"])
    (tensor([97, 98, 99], dtype=torch.uint8), tensor([2, 2, 3]))
    """
    content = np.frombuffer(bytearray(b"".join(parts)), np.uint8)
    return torch.from_numpy(content), torch.tensor([len(part) for part in parts], dtype=torch.int64).cumsum(0)


def split_bytes(content: Tensor, ends: Tensor) -> list[bytes]:
    """Return the parts that ``joined_bytes`` joined.

    Raises:
        ModelError: The ends do not ascend to the length of the content.

    >>> split_bytes(*joined_bytes([b"ab", b"", b"c"]))
    [b'ab', b'', b'c']
    """
    edges = [0, *ends.tolist()]
    if any(a > b for a, b in pairwise(edges)) or edges[-1] != len(content):
        raise ModelError("its parts do not end where its content does; copy it again")
    whole = content.numpy().tobytes()
    return [whole[a:b] for a, b in pairwise(edges)]


def joined_texts(texts: Sequence[str]) -> tuple[Tensor, Tensor]:
    """Return texts one after another as UTF-8, and where each ends. Any string is possible, lone surrogates too.

    >>> joined_texts(["a", "ü"])
    (tensor([ 97, 195, 188], dtype=torch.uint8), tensor([1, 3]))
    """
    return joined_bytes([text.encode("utf-8", "surrogatepass") for text in texts])


def split_texts(content: Tensor, ends: Tensor) -> list[str]:
    """Return the texts that ``joined_texts`` joined.

    Raises:
        ModelError: The content is not UTF-8, or the ends do not ascend to its length.

    >>> split_texts(*joined_texts(["a", "", "ü"]))
    ['a', '', 'ü']
    """
    try:
        return [part.decode("utf-8", "surrogatepass") for part in split_bytes(content, ends)]
    except UnicodeDecodeError as error:
        raise ModelError(f"its texts are not UTF-8: {error}; copy it again") from error


def digest(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: their names, number types, shapes and values.

    >>> digest({"x": torch.zeros(2)})[:8]
    '629d136a'
    """
    sha = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        sha.update(f"{name} {tensor.dtype} {list(tensor.shape)} ".encode())
        sha.update(_values(tensor))
    return sha.hexdigest()


def sum_of_values(tensors: Iterable[Tensor]) -> str:
    """Return the SHA-256 of tensors' values, whatever their names and order: of weights that several formats hold.

    >>> a, b = torch.zeros(2), torch.ones(3)
    >>> sum_of_values([a, b]) == sum_of_values([b, a])
    True
    """
    sums = sorted(hashlib.sha256(_values(tensor)).hexdigest() for tensor in tensors)
    return hashlib.sha256(" ".join(sums).encode()).hexdigest()


def _values(tensor: Tensor) -> memoryview:
    return tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data
