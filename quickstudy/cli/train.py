"""``quickstudy train``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.options import settings_flags


@settings_flags
def train(
    flags: dict[str, Any],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/ALGORITHM-DATA-... if not given.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    print_settings: Annotated[bool, typer.Option("--print-settings", help="Print all settings and stop.")] = False,
    resume: Annotated[
        Path | None,
        typer.Option(help="Continue the run in this folder; with --steps, to more steps.", show_default=False),
    ] = None,
) -> None:
    """Meta-train a learner; save settings, metrics and the best weights in a run folder.

    Settings come from the file, then QUICKSTUDY_* variables, then flags; a later one overrides an earlier one.
    """
    import json

    from quickstudy.runs.settings import load_settings

    if resume is None:
        settings = load_settings(config, flags=flags)
    else:
        from quickstudy.runs.train import resumed

        also = {name: value for name, value in {"out": out, "config": config}.items() if value is not None}
        settings = resumed(resume, flags | also)
    if print_settings:  # without torch
        print(json.dumps(settings.model_dump(mode="json"), indent=2, ensure_ascii=False))
        return
    from quickstudy.runs.train import train_run
    from quickstudy.training.process import keep_memory

    keep_memory()
    folder = train_run(settings, resume or out, resume=resume is not None, command=sys.argv[1:])
    if folder is not None:
        print(folder)
