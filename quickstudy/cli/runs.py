"""``quickstudy runs``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.options import Json


def runs(
    folder: Annotated[Path, typer.Argument(help="Folder of runs, or one run.")] = Path("runs"),
    plot: Annotated[Path | None, typer.Option(help="Draw loss and validations over steps in this PNG file.")] = None,
    json: Json = False,
) -> None:
    """List the runs in a folder: the settings that differ, result, steps and time."""
    from quickstudy.cli.output import print_json, print_rows
    from quickstudy.runs.overview import draw_runs, find_runs, list_runs

    rows = list_runs(folder)
    if plot is not None:
        import logging

        logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would warn about a cache that it cannot write
        draw_runs(find_runs(folder), plot)
    if json:
        print_json(rows)
        return
    columns = dict.fromkeys(name for row in rows for name in row.get("settings", {}))
    print_rows([_cells(row, list(columns)) for row in rows], as_json=False)


def _cells(row: dict[str, Any], columns: list[str]) -> dict[str, str]:
    from quickstudy.runs.train import length

    settings = {name: row.get("settings", {}).get(name, "") for name in columns}
    if "fault" in row:
        return {"run": row["run"], **settings, "validation": row["fault"], "test": "", "steps": "", "time": ""}
    tests = [each for each in row["evaluations"] if str(each.get("split")).startswith("test")]
    done, planned = row["step"], row["steps"]
    return {
        "run": row["run"],
        **settings,
        "validation": _mean(row["validation"]),
        "test": _mean(tests[-1] if tests else None),
        "steps": f"{done:,}" if done == planned else f"{done:,} of {planned:,}",
        "time": "" if row["seconds"] is None else length(row["seconds"]),
    }


def _mean(result: dict[str, Any] | None) -> str:
    if result is None or result.get("mean") is None:
        return ""
    if result.get("metric") != "accuracy":
        return f"mse {result['mean']:.4f} ± {result['ci95']:.4f}"
    return f"{100 * result['mean']:.1f} ± {100 * result['ci95']:.1f} %"
