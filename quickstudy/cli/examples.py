"""``quickstudy examples``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quickstudy.cli.options import Json


def examples(
    folder: Annotated[Path, typer.Argument(help="Folder of the files.")] = Path("examples"), json: Json = False
) -> None:
    """Write example files to try the commands with: pictures, sentences and rows."""
    from quickstudy.cli.output import print_rows
    from quickstudy.tasks.examples import examples

    print_rows(examples(folder), json)
