"""``quickstudy doctor``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quickstudy.cli.options import Json


def doctor(
    folder: Annotated[Path, typer.Argument(help="A run or a classifier.", show_default=False)], json: Json = False
) -> None:
    """Verify a folder: checksums, settings, checkpoints, weights, and unchanged answers to stored inputs."""
    from quickstudy.cli.output import print_json
    from quickstudy.runs.doctor import doctor

    report = doctor(folder)
    if json:
        print_json({"folder": str(folder), **report._asdict()})
    else:
        for fault in report.faults:
            print(fault)
        print(f"sound: {', '.join(report.looked_at)}" if report.sound else f"{len(report.faults)} faults")
    if not report.sound:
        raise SystemExit(1)
