"""The commands, and how errors leave: one line on stderr, exit code 2."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.options import settings_flags
from quickstudy.errors import QuickstudyError

app = typer.Typer(
    name="quickstudy",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def quickstudy() -> None:
    """Meta-learning: learn how to learn from a few examples."""


@app.command()
@settings_flags
def train(
    flags: dict[str, Any],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/ALGORITHM-DATA-... if not given.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    print_settings: Annotated[bool, typer.Option("--print-settings", help="Print all settings and stop.")] = False,
) -> None:
    """Meta-train a learner; keeps settings, metrics and the best weights in a run folder."""
    from quickstudy.cli.training import train

    train(flags, out, config, print_settings)


def main() -> None:
    """Entry point of ``quickstudy``."""
    try:
        app()
    except QuickstudyError as error:
        print(f"quickstudy: {error}", file=sys.stderr)
        sys.exit(2)
