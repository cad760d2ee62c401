"""Start of the server, and the application for your own server."""

from __future__ import annotations

import socket
import sys
import threading
import webbrowser
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import platformdirs

from quickstudy.errors import SettingError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from quickstudy.serving.limits import Limits

PORT = 8321
"""Port if none is given."""
_QUEUE = 512


def create_app(
    folder: Path | str | None = None,
    *,
    host: str = "127.0.0.1",
    hosts: Sequence[str] = (),
    token: str | None = None,
    limits: Limits | None = None,
) -> FastAPI:
    """Return the server as an ASGI application.

    Args:
        folder: A classifier, or a folder of classifiers, which is created if missing. If None, a folder of the user.
        host: Address that the application is served on. Requests for other hosts are refused.
        hosts: Other names that the server is reached by.
        token: Secret that requests must send as ``Authorization: Bearer TOKEN``; None for no token.
        limits: Largest sizes, and times.

    Raises:
        SettingError: The packages of the server are not installed, or the folder cannot be served.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     create_app(place).title
    'quickstudy'
    """
    try:
        from quickstudy.serving.app import application
    except ModuleNotFoundError as error:
        if error.name and error.name.startswith("quickstudy"):
            raise
        raise SettingError(f"{error.name} is not installed; pip install 'quickstudy[serve]'") from None
    from quickstudy.serving.limits import Limits
    from quickstudy.serving.store import Store, place_of

    if token is not None and not (token.isascii() and token.isprintable() and token.strip() == token and token):
        raise SettingError("the token is empty, or holds blanks or characters beyond ASCII; give another")
    root, only = place_of(folder or Path(platformdirs.user_data_dir("quickstudy")) / "classifiers")
    limits = limits or Limits()
    return application(Store(root, only, limits), host, hosts, token, limits)


def serve(
    folder: Path | str | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = PORT,
    hosts: Sequence[str] = (),
    token: str | None = None,
    browser: bool = False,
    limits: Limits | None = None,
) -> None:
    """Serve the page and the API until the process is interrupted.

    Args:
        folder: See ``create_app``.
        host: Address to listen to; only this machine reaches the default.
        port: Port; 0 for any that is free.
        hosts: See ``create_app``.
        token: See ``create_app``.
        browser: Whether the page is opened in a browser.
        limits: See ``create_app``.

    Raises:
        SettingError: The port is taken, or see ``create_app``.
    """
    app = create_app(folder, host=host, hosts=hosts, token=token, limits=limits)
    import uvicorn

    from quickstudy.serving.limits import Limits
    from quickstudy.serving.protocol import protocol
    from quickstudy.training.process import threads

    limits = limits or Limits()
    listener = _listener(host, port)
    _allow_files()
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    if token is not None:
        address += f"#token={token}"
    print(address, flush=True)
    if browser:
        timer = threading.Timer(1, webbrowser.open, [address])
        timer.daemon = True
        timer.start()
    config = uvicorn.Config(
        app,
        http=protocol(limits),
        ws="none",
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=int(limits.head),
        timeout_graceful_shutdown=5,
    )
    with threads(1):  # requests are many and small, so a second thread would only wait
        uvicorn.Server(config).run(sockets=[listener])


def _listener(host: str, port: int) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_QUEUE)
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SettingError(f"cannot listen to {host} port {port}: {reason}; give another --host or --port") from None
    return listener


def _allow_files() -> None:
    """Allow as many open files, so connections, as the system permits."""
    if sys.platform == "win32":
        return
    import resource

    with suppress(ValueError, OSError):
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most if most != resource.RLIM_INFINITY else 65536, most))
