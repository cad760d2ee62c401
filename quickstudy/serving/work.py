"""Threads of the server: one that answers, one that learns, so that an answer never waits for learning.

Questions that wait at the same time for the same classifier are answered in one batch, which is much faster.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import warnings
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from starlette.requests import ClientDisconnect, Request

from quickstudy.errors import ClassifierWarning

T = TypeVar("T")
R = TypeVar("R")
_notes = threading.local()


class Work:
    """Two threads with a queue each; one thread per queue, because more would only divide one processor."""

    def __init__(self) -> None:
        self._begin()

    def _begin(self) -> None:
        self._answering = _Queue("answer")
        self._learning = _Queue("learn")
        self._waiting: dict[Hashable, list[_Question[Any, Any]]] = {}
        self._rounds: set[asyncio.Task[None]] = set()

    async def answer(self, function: Callable[[], T], request: Request | None = None) -> tuple[T, list[str]]:
        """Return the result of a short function, and its warnings.

        Args:
            function: Function of no arguments.
            request: Request that the result is for; nothing is done if its client is gone when its turn comes.

        Raises:
            ClientDisconnect: The client is gone.
        """
        return await self._answering.run(function, request)

    async def answer_together(
        self, key: Hashable, value: T, function: Callable[[Sequence[T]], Sequence[R]], request: Request | None = None
    ) -> tuple[R, list[str]]:
        """Return the result for a value, and its warnings; values that wait under one key are given to one call.

        If the call fails or warns of an input, each value is given alone, so that all get only their own warnings and
        errors.

        Args:
            key: Key of the values that may be given to one call of the function.
            value: The value.
            function: Function from values to a result per value.
            request: Request that the result is for, as in ``answer``.

        Raises:
            ClientDisconnect: The client is gone.
        """
        mine: _Question[T, R] = _Question(value, request, asyncio.get_running_loop().create_future())
        waiting = self._waiting.setdefault(key, [])
        waiting.append(mine)
        if len(waiting) == 1:  # a separate task: it must not end with the request that came first
            task = asyncio.create_task(self._round(key, function))
            self._rounds.add(task)
            task.add_done_callback(self._rounds.discard)
        return await mine.result

    async def _round(self, key: Hashable, function: Callable[[Sequence[T]], Sequence[R]]) -> None:
        """Answer what waits under a key when its turn comes."""
        async with self._answering.turn:
            present = []
            for each in self._waiting.pop(key):
                if each.request is not None and await each.request.is_disconnected():
                    each.fail(ClientDisconnect())
                else:
                    present.append(each)
            if not present:
                return
            values = [each.value for each in present]
            outcomes = await self._answering.call(lambda: _outcomes(function, values))
            for each, outcome in zip(present, outcomes, strict=True):
                if isinstance(outcome, Exception):
                    each.fail(outcome)
                elif not each.result.done():
                    each.result.set_result(outcome)

    async def learn(self, function: Callable[[], T], request: Request | None = None) -> tuple[T, list[str]]:
        """Return the result of a function that may take long, and its warnings; see ``answer``."""
        return await self._learning.run(function, request)

    def close(self) -> None:
        """End the threads when their current work is done. Others begin if there is more work."""
        self._answering.thread.shutdown(cancel_futures=True)
        self._learning.thread.shutdown(cancel_futures=True)
        self._begin()


@dataclass
class _Question(Generic[T, R]):
    """A value that waits for its result."""

    value: T
    request: Request | None
    result: asyncio.Future[tuple[R, list[str]]]

    def fail(self, error: Exception) -> None:
        """End the wait by an error, unless it has ended already."""
        if not self.result.done():
            self.result.set_exception(error)


class _Queue:
    """A thread that does one function after another, in the order of their arrival."""

    def __init__(self, name: str) -> None:
        self.thread = ThreadPoolExecutor(1, name)
        self.turn = asyncio.Lock()

    async def run(self, function: Callable[[], T], request: Request | None) -> tuple[T, list[str]]:
        async with self.turn:
            if request is not None and await request.is_disconnected():
                raise ClientDisconnect
            result, notes = await self.call(lambda: _noted(function))
            return result, _texts(notes)

    async def call(self, function: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self.thread, function)


def _outcomes(
    function: Callable[[Sequence[T]], Sequence[R]], values: Sequence[T]
) -> list[tuple[R, list[str]] | Exception]:
    """Return the result and the warnings for each value, or its error."""
    if len(values) > 1:
        with contextlib.suppress(Exception):  # the error comes again below, for its own value
            results, notes = _noted(lambda: function(values))
            if all(isinstance(note, ClassifierWarning) for note in notes):
                return [(result, _texts(notes)) for result in results]
    outcomes: list[tuple[R, list[str]] | Exception] = []
    for value in values:
        try:
            (result,), notes = _noted(lambda value=value: function([value]))  # type: ignore[misc]
            outcomes.append((result, _texts(notes)))
        except Exception as error:
            outcomes.append(error)
    return outcomes


def _noted(function: Callable[[], T]) -> tuple[T, list[Warning | str]]:
    _notes.messages = []
    try:
        return function(), _notes.messages
    finally:
        del _notes.messages


def _texts(notes: Sequence[Warning | str]) -> list[str]:
    """Return the texts of warnings, each once."""
    return list(dict.fromkeys(map(str, notes)))


@contextlib.contextmanager
def noted_warnings() -> Iterator[None]:
    """Context in which warnings of the threads of ``Work`` belong to the response, and all others are as before."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        before = warnings.showwarning

        def note(message: Warning | str, *arguments: Any, **options: Any) -> None:
            if (messages := getattr(_notes, "messages", None)) is not None:
                messages.append(message)
            else:
                before(message, *arguments, **options)

        warnings.showwarning = note
        yield
