"""Signals that end a run, held back until its step is done."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def between_steps() -> Iterator[Callable[[], int]]:
    """Hold back SIGINT and SIGTERM, and give a function that returns the number of one that came, or 0.

    Raised in the middle of a step, an interrupt would leave torch's function transforms half undone, and crash there.
    A second one ends the process at once. The end of a worker's parent process counts as a SIGTERM. Outside of the main
    thread, where Python takes no signals, nothing is held back.
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
