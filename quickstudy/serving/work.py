"""Threads of the server: one that answers, one that learns, so that an answer never waits for learning."""

from __future__ import annotations

import asyncio
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, TypeVar

from starlette.requests import ClientDisconnect, Request

T = TypeVar("T")
_notes = threading.local()


class Work:
    """Two threads with a queue each; one thread per queue, because more would only divide one processor."""

    def __init__(self) -> None:
        self._answering = _Queue("answer")
        self._learning = _Queue("learn")

    async def answer(self, function: Callable[[], T], request: Request | None = None) -> tuple[T, list[str]]:
        """Return the result of a short function, and its warnings.

        Args:
            function: Function of no arguments.
            request: Request that the result is for; nothing is done if its client is gone when its turn comes.

        Raises:
            ClientDisconnect: The client is gone.
        """
        return await self._answering.run(function, request)

    async def learn(self, function: Callable[[], T], request: Request | None = None) -> tuple[T, list[str]]:
        """Return the result of a function that may take long, and its warnings; see ``answer``."""
        return await self._learning.run(function, request)

    def close(self) -> None:
        """End the threads when their current work is done."""
        self._answering.thread.shutdown(cancel_futures=True)
        self._learning.thread.shutdown(cancel_futures=True)


class _Queue:
    """A thread that does one function after another, in the order of their arrival."""

    def __init__(self, name: str) -> None:
        self.thread = ThreadPoolExecutor(1, name)
        self._turn = asyncio.Lock()

    async def run(self, function: Callable[[], T], request: Request | None) -> tuple[T, list[str]]:
        async with self._turn:
            if request is not None and await request.is_disconnected():
                raise ClientDisconnect
            return await asyncio.get_running_loop().run_in_executor(self.thread, _noted, function)


def _noted(function: Callable[[], T]) -> tuple[T, list[str]]:
    _notes.messages = []
    try:
        return function(), list(dict.fromkeys(_notes.messages))
    finally:
        del _notes.messages


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
