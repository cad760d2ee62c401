"""``quickstudy reproduce``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Column, Table

from quickstudy.cli.training import between_steps, watch
from quickstudy.errors import SettingError
from quickstudy.files import replace
from quickstudy.papers import PROTOCOLS
from quickstudy.reproduce import Reproduction


def reproduce(
    name: str | None,
    list_: bool,
    budget: float | None,
    runs: Path,
    given: dict[str, Any],
    n_tasks: int,
    out: Path | None,
    as_json: bool,
) -> None:
    """Train, or go on, then evaluate and print both figures."""
    if list_:
        _list(as_json)
        return
    if name is None:
        raise SettingError("name what to reproduce; `quickstudy reproduce --list` shows all")
    reproduction = Reproduction(name, runs, given, budget)
    with between_steps() as asked:
        for settings, progress in reproduction.trainings(asked):
            watch(progress, settings)
    record = reproduction.result(n_tasks)
    if out is not None:
        replace(out, (json.dumps(record, indent=2) + "\n").encode())
    if as_json:
        print(json.dumps(record))
        return
    table = Table("", "accuracy %", "95% interval", "tasks", title=f"{record['title']}: {name}, {record['split']}")
    paper = record["paper"]
    table.add_row(f"paper, {_kind(paper['transductive'])}", *_percent(paper), "")
    for kind, ours in record["ours"].items():
        table.add_row(f"ours, {kind}", *_percent(ours), str(ours["n_tasks"]))
    Console().print(table)
    trainings = [record[name] for name in ("first_training", "training") if name in record]
    minutes = sum(training["seconds"] for training in trainings) / 60
    print(f"trained in {minutes:.0f} min; {'; '.join(record['shortened']) or 'nothing shortened'}")


def _list(as_json: bool) -> None:
    rows = [
        {
            "name": f"{key}-{cell.n_way}way-{cell.n_shot}shot",
            "accuracy": cell.mean / 100,
            "ci95": None if cell.ci95 is None else cell.ci95 / 100,
            "transductive": protocol.transductive,
            "source": protocol.source,
        }
        for key, protocol in PROTOCOLS.items()
        for cell in protocol.cells
    ]
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(Column("name", no_wrap=True), Column("paper, %", no_wrap=True), "source")
    for row in rows:
        name, _, _, transductive, source = row.values()
        mean, ci95 = _percent({"mean": row["accuracy"], "ci95": row["ci95"]})
        table.add_row(str(name), f"{mean} {ci95}".strip(), f"{source}, {_kind(bool(transductive))}")
    Console().print(table)


def _kind(transductive: bool) -> str:
    return "transductive" if transductive else "inductive"


def _percent(figure: dict[str, Any]) -> tuple[str, str]:
    return f"{100 * figure['mean']:.2f}", "" if figure["ci95"] is None else f"± {100 * figure['ci95']:.2f}"
