"""``quickstudy serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="A classifier to serve, or a folder in which classifiers are kept. If left out, a folder of the user.",
            show_default=False,
        ),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen to; only this machine reaches 127.0.0.1.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 for any that is free.")] = 8321,
    token: Annotated[
        str | None,
        typer.Option(
            help="Secret that requests must send: Authorization: Bearer TOKEN.",
            envvar="QUICKSTUDY_TOKEN",
            show_default=False,
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(help="Another name that the server is reached by; may be given again.", show_default=False),
    ] = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the page in a browser.")] = False,
) -> None:
    """Serve a page and an API that learn and answer, on this machine."""
    import sys

    from quickstudy.serving.server import serve

    if token is None and host not in ("127.0.0.1", "localhost", "::1"):
        print("quickstudy: warning: everyone who reaches this address may use it; give --token", file=sys.stderr)
    serve(folder, host=host, port=port, hosts=allow_host or (), token=token, browser=not no_browser)
