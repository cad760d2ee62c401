"""Threads of the server: one that answers, one that learns, so that an answer never waits for learning."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

T = TypeVar("T")
_notes = threading.local()


class Work:
    """Two threads with a queue each; one thread per queue, because more would only divide one processor."""

    def __init__(self) -> None:
        self._answering = ThreadPoolExecutor(1, "answer")
        self._learning = ThreadPoolExecutor(1, "learn")

    async def answer(self, function: Callable[[], T]) -> tuple[T, list[str]]:
        """Return the result of a short function, and its warnings."""
        return await self._run(self._answering, function)

    async def learn(self, function: Callable[[], T]) -> tuple[T, list[str]]:
        """Return the result of a function that may take long, and its warnings."""
        return await self._run(self._learning, function)

    async def _run(self, pool: ThreadPoolExecutor, function: Callable[[], T]) -> tuple[T, list[str]]:
        def run() -> tuple[T, list[str]]:
            _notes.messages = []
            try:
                return function(), list(dict.fromkeys(_notes.messages))
            finally:
                del _notes.messages

        return await asyncio.get_running_loop().run_in_executor(pool, run)

    def close(self) -> None:
        """End the threads when their current work is done."""
        self._answering.shutdown(cancel_futures=True)
        self._learning.shutdown(cancel_futures=True)


@contextmanager
def noted_warnings() -> Iterator[None]:
    """Context in which warnings of the threads of ``Work`` belong to the response, and all others are as before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        before = warnings.showwarning

        def note(message: Warning | str, *arguments: Any, **options: Any) -> None:
            if (messages := getattr(_notes, "messages", None)) is not None:
                messages.append(str(message))
            else:
                before(message, *arguments, **options)

        warnings.showwarning = note
        yield
