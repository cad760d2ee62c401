"""Several worker processes of one command, watched: none outlives another's end."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from types import FrameType

from quickstudy.errors import WorkerLost

GRACE = 10.0
"""Seconds that a worker has to save and leave before it is ended."""


def launch(workers: int, environment: dict[str, str], command: list[str]) -> int:
    """Run a quickstudy command in several processes, which meet as those of torchrun do; their exit code.

    SIGINT and SIGTERM are passed on. Where one worker ends by a fault, the others are ended too.

    Raises:
        WorkerLost: A worker was killed.
    """
    place = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(workers)}
    children = [
        subprocess.Popen(
            [sys.executable, "-m", "quickstudy", *command],
            env=environment | os.environ | place | {"RANK": str(rank), "LOCAL_RANK": str(rank)},
            start_new_session=True,  # a terminal's Ctrl-C comes through here, once
        )
        for rank in range(workers)
    ]

    told = 0

    def forward(number: int, frame: FrameType | None) -> None:
        nonlocal told
        told = number
        for child in children:
            if child.poll() is None:
                child.send_signal(number)

    before = {number: signal.signal(number, forward) for number in (signal.SIGINT, signal.SIGTERM)}
    still: list[int] = []
    try:
        while all(child.poll() is None for child in children):
            time.sleep(0.05)
        deadline = time.monotonic() + GRACE
        # A worker that lost another says so and leaves; one that stands still does neither.
        while (
            still := [r for r, child in enumerate(children) if child.poll() is None]
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
    if told:
        return 128 + told
    if still:
        raise WorkerLost(f"worker {still[0]} stood still and was ended; `quickstudy train --resume` goes on")
    for rank, code in enumerate(codes):
        if code < 0:
            name = signal.Signals(-code).name
            raise WorkerLost(f"worker {rank} was ended by {name}; `quickstudy train --resume` goes on")
    return max(codes)


def _free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])
