"""One function over many parts: in this process, in several, or on a Ray cluster."""

from __future__ import annotations

import os
import socket
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from multiprocessing import get_context, parent_process
from typing import Any, TypeVar

import torch

from quickstudy.errors import SettingError, WorkerLost, one_line

S = TypeVar("S")
T = TypeVar("T")


def spread(function: Callable[[S], T], parts: Iterable[S], *, workers: int = 1, ray: str | None = None) -> Iterator[T]:
    """Yield the results of a function of each part, in their order, with two parts per worker on their way.

    Args:
        function: Function that another process can import.
        parts: Parts, which are read as they are needed.
        workers: Number of processes on this machine; 1 uses this process.
        ray: Address of a Ray cluster, such as "auto"; it has as many workers as processors.

    Raises:
        SettingError: There are no workers, Ray is not installed, or there is no cluster at the address.
        WorkerLost: A process has died, for example for want of memory.

    >>> list(spread(abs, [1, -2]))
    [1, 2]
    """
    if workers < 1:
        raise SettingError(f"workers={workers} answer nothing; give 1 or more")
    if ray is not None:
        yield from _on_cluster(function, parts, ray)
    elif workers == 1:
        yield from map(function, parts)
    else:
        context = get_context("spawn")
        with ProcessPoolExecutor(workers, context, _start) as pool:
            try:
                yield from _in_order(parts, lambda part: pool.submit(function, part), Future.result, 2 * workers)
            except BrokenProcessPool:
                raise WorkerLost("a worker has died; give fewer --workers, and the same call continues") from None


def _on_cluster(function: Callable[[S], T], parts: Iterable[S], address: str) -> Iterator[T]:
    try:
        import ray
    except ImportError:
        raise SettingError("Ray is not installed; pip install 'quickstudy[ray]'") from None
    with ExitStack() as stack:
        if not ray.is_initialized():
            try:
                _check_reachable(address)
                ray.init(address=address, log_to_driver=False)
            except (OSError, ValueError) as error:
                fault = one_line(error)
                raise SettingError(f"no Ray cluster at {address!r}: {fault}; start one by `ray start`") from error
            stack.callback(ray.shutdown)
        remote: Any = ray.remote(_applied)
        shared = ray.put(function)
        most = 2 * int(ray.cluster_resources().get("CPU", 1))
        yield from _in_order(parts, lambda part: remote.remote(shared, part), ray.get, most)


def _check_reachable(address: str) -> None:
    """Raise an error if nothing answers at HOST:PORT, for which Ray itself would wait for minutes."""
    host, colon, port = address.rpartition(":")
    if colon:
        socket.create_connection((host.removeprefix("ray://"), int(port)), timeout=10).close()


def _applied(function: Callable[[S], T], part: S) -> T:
    return function(part)  # because Ray takes plain functions only


def _in_order(parts: Iterable[S], submit: Callable[[S], Any], result: Callable[[Any], T], most: int) -> Iterator[T]:
    running: deque[Any] = deque()
    for part in parts:
        running.append(submit(part))
        if len(running) == most:
            yield result(running.popleft())
    while running:
        yield result(running.popleft())


def _start() -> None:
    """Prepare a worker: one thread, and it ends when the process that started it was killed."""
    torch.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)
