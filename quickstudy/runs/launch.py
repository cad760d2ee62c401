"""Launch of several worker processes of one command; if one fails, all are ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from quickstudy.errors import WorkerLost

GRACE = 10.0
"""Seconds that a worker has to save and exit before it is killed."""


def launch(workers: int, environment: dict[str, str], command: list[str]) -> int:
    """Run a quickstudy command in several processes, which connect through a file, and return the exit code.

    SIGINT and SIGTERM are forwarded to the workers. If one worker fails, the others are ended too.

    Raises:
        WorkerLost: A worker was killed.
    """
    with TemporaryDirectory(prefix="quickstudy-") as folder:
        # A file, not a port: another program may take a free port before the first worker listens on it.
        place = {"MEETING_FILE": str(Path(folder, "meeting")), "WORLD_SIZE": str(workers)}
        return _watch(_start(workers, environment | os.environ | place, command))


def _start(workers: int, environment: dict[str, str], command: list[str]) -> list[subprocess.Popen[bytes]]:
    return [
        subprocess.Popen(
            [sys.executable, "-m", "quickstudy", *command],
            env=environment | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            start_new_session=True,  # so that Ctrl-C reaches a worker only once, forwarded by this process
        )
        for rank in range(workers)
    ]


def _watch(children: list[subprocess.Popen[bytes]]) -> int:
    """Wait until a child ends, end the others, and return the exit code."""
    received = 0

    def forward(number: int, frame: FrameType | None) -> None:
        nonlocal received
        received = number
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    running: list[int] = []
    try:
        while all(child.poll() is None for child in children):
            time.sleep(0.05)
        deadline = time.monotonic() + GRACE
        # A worker that lost another one reports it and exits; a worker that hangs does not.
        while (
            running := [r for r, child in enumerate(children) if child.poll() is None]
        ) and time.monotonic() < deadline:
            time.sleep(0.05)
    finally:
        for child in children:
            if child.poll() is None:
                child.kill()
            child.wait()
        for number, handler in before.items():
            signal.signal(number, handler)
    codes = [child.returncode for child in children]
    if received:
        return 128 + received
    if running:
        raise WorkerLost(f"worker {running[0]} did not respond and was killed; continue by `quickstudy train --resume`")
    for rank, code in enumerate(codes):
        if code < 0:
            name = signal.Signals(-code).name
            raise WorkerLost(f"worker {rank} was killed by {name}; continue by `quickstudy train --resume`")
    return max(codes)
