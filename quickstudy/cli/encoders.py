"""``quickstudy encoders``."""

from __future__ import annotations

from typing import Annotated

import typer

from quickstudy.cli.options import Json


def encoders(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Encoders; names of the Hugging Face Hub and folders too. All of quickstudy if left out."),
    ] = None,
    download: Annotated[bool, typer.Option("--download", help="Download those that are not here.")] = False,
    json: Json = False,
) -> None:
    """List frozen encoders of photos and sentences with their cost here; download one from the Hugging Face Hub."""
    from quickstudy.cli.output import print_rows
    from quickstudy.inputs.encoders import ENCODERS, cost

    rows = [cost(name, download=download)._asdict() for name in names or ENCODERS]
    if not json:
        rows = [
            row | {"megabytes": f"{row['megabytes']:.0f}", "milliseconds": f"{row['milliseconds']:.0f}"} for row in rows
        ]
    print_rows(rows, json)
