"""Provenance of a result, and the software and hardware of this machine."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from quickstudy.inputs.cache import data_folder
from quickstudy.training.engine import describe

_PACKAGES = ("quickstudy", "torch", "numpy", "safetensors", "pillow", "scikit-learn", "matplotlib", "tensorboard")


def provenance() -> dict[str, Any]:
    """Return the command, versions, threads, cores and time, as a record of how a result was made."""
    return {
        "command": shlex.join([*_program(), *sys.argv[1:]]),
        "versions": {name: version(name) for name in ("quickstudy", "torch", "numpy")},
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def environment() -> dict[str, Any]:
    """Return the versions, device, threads, engine and data folder of this machine."""
    return {
        **{name: _version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
        "threads": torch.get_num_threads(),
        "engine": describe(),
        "data folder": str(data_folder()),
    }


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _program() -> list[str]:
    """Return the command, or the module or script that calls the package."""
    script = Path(sys.argv[0])
    if script.stem == "quickstudy" or script.parts[-2:] == ("quickstudy", "__main__.py"):
        return ["quickstudy"]
    spec = getattr(sys.modules["__main__"], "__spec__", None)
    if spec is not None and spec.origin == sys.argv[0]:  # python -m
        return ["python", "-m", spec.name.removesuffix(".__main__")]
    return ["python", str(script)]
