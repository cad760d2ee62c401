"""Where data lies on this machine: data sets prepared once and kept."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import platformdirs
import torch

from quickstudy.errors import QuickstudyError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.io.files import replace
from quickstudy.io.tensors import pack, unpack

_MAX_BYTES = 2**36


def data_folder() -> Path:
    """Where data sets are looked for when no folder is named.

    It is the environment variable ``QUICKSTUDY_CACHE``, or ``data`` in the user's cache folder of the platform.

    >>> data_folder().is_absolute()
    True
    """
    named = os.environ.get("QUICKSTUDY_CACHE")
    folder = Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("quickstudy")) / "data"
    return folder.absolute()


def prepared(key: str, prepare: Callable[[], ClassDataset]) -> ClassDataset:
    """What ``prepare`` returns: read from the cache when it was kept there whole, else made and kept.

    A file of the cache carries the SHA-256 of what it holds and appears by one rename, so a damaged one is made again
    and two processes may prepare the same data at once. A cache that cannot be written is no error.

    Args:
        key: Names the result: its source, the source's content and the version of the preparation.
        prepare: Makes the data set.

    >>> import torch
    >>> from tempfile import TemporaryDirectory
    >>> from unittest.mock import patch
    >>> make = lambda: ClassDataset.from_labels(torch.zeros(2, 1), ["a", "b"])
    >>> with TemporaryDirectory() as folder, patch.dict(os.environ, QUICKSTUDY_CACHE=folder):
    ...     _, again = prepared("zeros-1", make), prepared("zeros-1", make)
    >>> again.names
    ('a', 'b')
    """
    path = data_folder() / "prepared" / f"{key}.safetensors"
    kept = _load(path)
    if kept is not None:
        return kept
    data = prepare()
    with suppress(OSError):
        _save(data, path)
    return data


def _load(path: Path) -> ClassDataset | None:
    try:
        kinds = {"x": (None, None), "y": (torch.int64, (-1,)), "names": (torch.uint8, (-1,))}
        tensors = unpack(path, kinds, _MAX_BYTES)
        return ClassDataset(tensors["x"], tensors["y"], tuple(json.loads(bytes(tensors["names"].tolist()))))
    except (QuickstudyError, ValueError, TypeError):  # missing, cut or altered
        return None


def _save(data: ClassDataset, path: Path) -> None:
    names = torch.tensor(list(json.dumps(data.names).encode()), dtype=torch.uint8)
    replace(path, pack({"x": data.x, "y": data.y, "names": names}))
