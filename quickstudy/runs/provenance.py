"""With what a result was made."""

from __future__ import annotations

import os
import platform
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch


def provenance() -> dict[str, Any]:
    """With what a result was made: command, versions, threads, machine and time."""
    return {
        "command": shlex.join([*_program(), *sys.argv[1:]]),
        "versions": {name: version(name) for name in ("quickstudy", "torch", "numpy")},
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }


def _program() -> list[str]:
    """The command line's own name, or the script that calls the package."""
    script = Path(sys.argv[0])
    return ["quickstudy"] if script.stem in ("quickstudy", "__main__") else ["python", str(script)]
