"""Changes to the whole process: the number of threads, and whether freed memory is kept.

A library leaves the process as it was. Only programs (the commands, benchmarks, your script) call ``keep_memory``.
Functions of the package that need another number of threads use ``threads``, which restores the old one.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import torch


def keep_memory() -> None:
    """Let glibc keep freed memory for the rest of the process, which makes training on a CPU faster.

    Each outer step needs as much memory as the one before. By default, the system takes large blocks back, and fills
    them with zeros at the next step. On systems without glibc, nothing changes.
    """
    with suppress(OSError, AttributeError):
        libc = ctypes.CDLL("libc.so.6")
        libc.mallopt(-4, 0)  # M_MMAP_MAX
        libc.mallopt(-1, -1)  # M_TRIM_THRESHOLD


@contextmanager
def threads(number: int | None) -> Iterator[None]:
    """Context with a number of CPU threads, which restores the old number afterwards; None changes nothing.

    >>> before = torch.get_num_threads()
    >>> with threads(1):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    before = torch.get_num_threads()
    if number is None or number == before:
        yield
        return
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
