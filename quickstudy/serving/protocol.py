"""HTTP connections with deadlines, so that clients that stay silent do not keep others out."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from quickstudy.serving.limits import Limits


def protocol(limits: Limits) -> type[H11Protocol]:
    """Return a protocol for uvicorn with these limits."""
    waiting: dict[H11Protocol, None] = {}  # those without a request in progress, the longest waiting first

    class Punctual(H11Protocol):
        """Connection that is closed if a request's header does not arrive in time, or if too many others wait."""

        deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._wait()
            if len(self.connections) > limits.connections:
                oldest = next(iter(waiting))
                if oldest is not self:
                    oldest.transport.abort()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            if self._in_progress():
                self._go_on()
            elif self.deadline is None:
                self._wait()

        def on_response_complete(self) -> None:
            super().on_response_complete()
            if not self._in_progress():
                self._wait()

        def connection_lost(self, exc: Exception | None) -> None:
            self._go_on()
            super().connection_lost(exc)

        def _in_progress(self) -> bool:
            return self.cycle is not None and not self.cycle.response_complete

        def _wait(self) -> None:
            self._go_on()
            waiting[self] = None
            # A body that is still being sent after its response has the time of any other body.
            seconds = limits.transfer if self.conn.their_state is h11.SEND_BODY else limits.head
            self.deadline = self.loop.call_later(seconds, self.transport.abort)

        def _go_on(self) -> None:
            waiting.pop(self, None)
            if self.deadline is not None:
                self.deadline.cancel()
                self.deadline = None

    return Punctual
