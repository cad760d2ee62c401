"""Refusal of requests for other hosts, from pages of other sites, without the token, or with endless bodies."""

from __future__ import annotations

import asyncio
import hmac
import ipaddress
import json
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from quickstudy.serving.limits import Limits, Refused

_OPEN = ("/v1", "/metrics")
"""Starts of the paths that need the token; all others hold no data of users."""
_HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; media-src 'self' blob:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'self'; object-src 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Checks of each request before the application sees it, and headers of each response.

    Args:
        app: Application.
        host: Address that the server listens to.
        hosts: Other names that it is reached by.
        token: Secret that requests for data must send; None for no token.
        limits: Limits of sizes and times.
    """

    def __init__(self, app: ASGIApp, host: str, hosts: Iterable[str], token: str | None, limits: Limits) -> None:
        self.app, self.token, self.limits = app, token, limits
        self._local = _is_loopback(host)
        self._hosts = {name.lower() for name in (host, "localhost", *hosts)}
        if not self._local:
            self._hosts.add(socket.gethostname().lower())
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it in one line of JSON."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        received, started = 0, False

        async def counted() -> Message:
            nonlocal received
            try:
                message = await asyncio.wait_for(receive(), self.limits.transfer)
            except TimeoutError:
                raise Refused(408, f"the body did not arrive in {self.limits.transfer:g} s; send it faster") from None
            size = len(message.get("body", b""))
            received += size
            self._in_flight += size
            if received > self.limits.body:
                raise self._too_large()
            if self._in_flight > self.limits.in_flight:
                raise Refused(429, "other requests fill the memory of the server; try again later")
            return message

        async def answered(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                names = {name.lower() for name, _ in message["headers"]}
                more = [(k.encode(), v.encode()) for k, v in _HEADERS.items() if k.encode() not in names]
                message = {**message, "headers": [*message["headers"], *more]}
            await asyncio.wait_for(send(message), self.limits.transfer)

        try:
            self._check(scope)
            await self.app(scope, counted, answered)
        except Refused as refusal:
            if not started:
                await _refuse(refusal, answered)
        except TimeoutError:  # a client that does not read: the connection is closed
            return
        finally:
            self._in_flight -= received

    def _check(self, scope: Scope) -> None:
        """Refuse a request for another host, of another site, without the token, or that says it is too large.

        Raises:
            Refused: Always with the reason.
        """
        headers: dict[bytes, list[bytes]] = {}
        for name, value in scope["headers"]:
            headers.setdefault(name, []).append(value)
        hosts = headers.get(b"host", [])
        host = hosts[0].decode("latin-1") if len(hosts) == 1 else ""
        if not self._is_known(host):
            raise Refused(421, f"this server is not {host[:80]!r}; use its address, or start it with --allow-host NAME")
        for origin in headers.get(b"origin", []):
            if urlsplit(origin.decode("latin-1")).netloc.lower() != host.lower():
                raise Refused(403, "pages of other sites may not use this server")
        if self.token is not None and scope["path"].startswith(_OPEN):
            given = [value.partition(b" ")[2].strip() for value in headers.get(b"authorization", [])]
            if len(given) != 1 or not hmac.compare_digest(given[0], self.token.encode()):
                raise Refused(401, "the token is missing or wrong; send the header Authorization: Bearer TOKEN")
        for length in headers.get(b"content-length", []):
            if not length.isdigit() or len(length) > 15 or int(length) > self.limits.body:
                raise self._too_large()

    def _is_known(self, host: str) -> bool:
        """Return whether a Host header names this server; an address cannot be another site's name."""
        try:
            parts = urlsplit(f"//{host}")
            name = parts.hostname or ""
            if parts.path or parts.query or parts.username is not None or (parts.port or 0) < 0:
                return False
        except ValueError:
            return False
        if name in self._hosts:
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or not self._local

    def _too_large(self) -> Refused:
        return Refused(413, f"the body is larger than {self.limits.body} bytes; send several requests")


async def _refuse(refusal: Refused, send: Send) -> None:
    content = json.dumps({"error": str(refusal)}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    if refusal.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
