"""``quickstudy reproduce``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from quickstudy.cli.training import between_steps, watch
from quickstudy.errors import SettingError
from quickstudy.io.files import replace
from quickstudy.runs.papers import protocols
from quickstudy.runs.recipes import Cell, Protocol
from quickstudy.runs.reproduce import Reproduction


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
    if as_json:
        print(
            json.dumps([_row(key, protocol, cell) for key, protocol in protocols().items() for cell in protocol.cells])
        )
        return
    console = Console(highlight=False)
    for key, protocol in protocols().items():
        console.print(f"[bold]{protocol.title}[/]\n[dim]{protocol.source}, {_kind(protocol.transductive)}[/]")
        for row in (_row(key, protocol, cell) for cell in protocol.cells):
            figure = " ".join(_percent({"mean": row["accuracy"], "ci95": row["ci95"]}))
            console.print(f"  {row['name']:<{len(key) + len('-20way-1shot')}}  {figure.strip()}")
        console.print()


def _row(key: str, protocol: Protocol, cell: Cell) -> dict[str, Any]:
    return {
        "name": f"{key}-{cell.n_way}way-{cell.n_shot}shot",
        "accuracy": cell.mean / 100,
        "ci95": None if cell.ci95 is None else cell.ci95 / 100,
        "transductive": protocol.transductive,
        "source": protocol.source,
    }


def _kind(transductive: bool) -> str:
    return "transductive" if transductive else "inductive"


def _percent(figure: dict[str, Any]) -> tuple[str, str]:
    return f"{100 * figure['mean']:.2f}", "" if figure["ci95"] is None else f"± {100 * figure['ci95']:.2f}"
