"""Signals that end a run, delayed until the end of its step."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def between_steps() -> Iterator[Callable[[], int]]:
    """Delay SIGINT and SIGTERM, and yield a function that returns the number of a received signal, or 0.

    An interrupt in the middle of a step would leave torch's function transforms in an invalid state, and crash there.
    A second signal ends the process at once. The end of a worker's parent process counts as a SIGTERM. Outside of the
    main thread, Python handles no signals, so nothing is delayed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    parent, received = os.getppid(), 0

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal received
        if received:
            os._exit(128 + number)
        received = number

    def pending() -> int:
        orphan = "RANK" in os.environ and os.getppid() != parent
        return received or (signal.SIGTERM if orphan else 0)

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield pending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
