"""``quickstudy tune``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.options import Json, settings_flags


@settings_flags
def tune(
    flags: dict[str, Any],
    space: Annotated[
        list[str],
        typer.Option(help="Setting to search: inner_lr=1e-3..1 or width=32|64; give one or more.", show_default=False),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the study; the same command continues it.")] = Path("study"),
    config: Annotated[Path | None, typer.Option(help="TOML file of the other settings.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Number of trials, by all processes of the study together.")] = 40,
    budget: Annotated[float | None, typer.Option(min=0, help="Minutes after which this process ends.")] = None,
    storage: Annotated[
        str | None, typer.Option(help="URL of a database that machines share, instead of a journal in the folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Search settings by validation tasks: Optuna proposes, and runs that fall behind end early."""
    from quickstudy.cli.output import print_json
    from quickstudy.runs.tune import tune as search
    from quickstudy.training.process import keep_memory

    keep_memory()
    tuned = search(space, out, config=config, flags=flags, trials=trials, budget=budget, storage=storage)
    if json:
        print_json({**tuned._asdict(), "file": str(tuned.file)})
        return
    values = ", ".join(f"{name} = {value}" for name, value in tuned.settings.items())
    print(f"{values}: {tuned.validation:.4g} of validation tasks, the best of {sum(tuned.trials.values())} trials")
    print(f"train it: quickstudy train --config {tuned.file}")
