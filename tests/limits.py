"""How long something took, and how much memory at most, counted from its own beginning."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Used:
    """Of processor time, and of memory beyond what was taken before; 0 where the system does not tell."""

    seconds: float = 0
    megabytes: float = 0


@contextmanager
def used() -> Iterator[Used]:
    """Filled when the block ends."""
    result = Used()
    before = _resident("VmRSS", restart=True)
    begun = time.process_time()
    try:
        yield result
    finally:
        result.seconds = time.process_time() - begun
        result.megabytes = (_resident("VmHWM") - before) / 1024


def _resident(name: str, restart: bool = False) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if restart:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from now
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
"""Whether no folder can be closed to this process."""
