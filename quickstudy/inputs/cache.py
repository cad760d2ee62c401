"""Data folder of this machine, and a cache of prepared data sets."""

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
    """Return the folder of data sets that is used if no folder is given.

    It is the environment variable ``QUICKSTUDY_CACHE``, or else ``data`` in the user's cache folder of the platform.

    >>> data_folder().is_absolute()
    True
    """
    named = os.environ.get("QUICKSTUDY_CACHE")
    folder = Path(named).expanduser() if named else Path(platformdirs.user_cache_dir("quickstudy")) / "data"
    return folder.absolute()


def prepared(
    key: str, prepare: Callable[[], ClassDataset], fits: Callable[[ClassDataset], bool] = lambda _: True
) -> ClassDataset:
    """Return the result of ``prepare``, from the cache if a valid copy is there; otherwise compute and save it.

    A cache file contains the SHA-256 of its content and is written atomically. A damaged file is therefore made
    again, and two processes may prepare the same data at once. A cache that cannot be written is not an error.

    Args:
        key: Name of the result. It identifies the source, its content and the version of the preparation.
        prepare: Function that makes the data set.
        fits: Function that returns whether a copy is still right; if not, it is made again.

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
    cached = _load(path)
    if cached is not None and fits(cached):
        return cached
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
