"""What something took: memory, bytes read and calls. No test measures time, which depends on the machine."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

HANGING = 600
"""Seconds after which a process is taken to hang: a safety limit that no test should reach."""


@dataclass
class Used:
    """Memory beyond what was taken before, bytes read from files, and calls; the first two are 0 outside Linux."""

    megabytes: float = 0
    read: int = 0
    calls: int = 0


@contextmanager
def used() -> Iterator[Used]:
    """Count what the block takes; the result is filled in when the block ends."""
    result = Used()

    def count(frame: object, event: str, argument: object) -> None:
        result.calls += event in ("call", "c_call")

    before, read = _resident("VmRSS", restart=True), _read()
    sys.setprofile(count)
    try:
        yield result
    finally:
        sys.setprofile(None)
        result.read = _read() - read
        result.megabytes = (_resident("VmHWM") - before) / 1024


def _read() -> int:
    """Bytes that this process has read so far, from files and pipes."""
    counts = Path("/proc/self/io")
    return int(counts.read_text().split()[1]) if counts.exists() else 0


def _resident(name: str, restart: bool = False) -> int:
    status = Path("/proc/self/status")
    if not status.exists():
        return 0
    if restart:
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from now
    return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith(name))


ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
"""Whether no folder can be closed to this process."""
