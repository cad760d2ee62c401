"""``quickstudy reproduce``."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from quickstudy.cli.options import DataRoot, Json, Out
from quickstudy.errors import SettingError

if TYPE_CHECKING:
    from quickstudy.runs.reproduce import Figure


def reproduce(
    name: Annotated[
        str | None, typer.Argument(help="Name of a published figure, such as prototypical-omniglot-5way-1shot.")
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the names, with the papers' figures.")] = False,
    budget: Annotated[
        float | None, typer.Option(help="Minutes of training; the report names what was shortened.")
    ] = None,
    runs: Annotated[Path, typer.Option(help="Folder of the trainings, which names may share.")] = Path(
        "runs/reproduce"
    ),
    data_root: DataRoot = None,
    n_tasks: Annotated[int, typer.Option(help="Number of test tasks.")] = 600,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Train as a paper did and compare our figure with the paper's; continues a training that was stopped."""
    from quickstudy.cli.output import print_json, write_record
    from quickstudy.runs.reproduce import published
    from quickstudy.runs.reproduce import reproduce as train_and_compare
    from quickstudy.training.process import keep_memory

    if list_:
        _print_list(published(), json)
        return
    if name is None:
        raise SettingError("no name of a published figure is given; `quickstudy reproduce --list` shows all names")
    keep_memory()
    record = train_and_compare(name, runs, budget=budget, n_tasks=n_tasks, data_root=data_root, threads=threads)
    write_record(record, out)
    if json:
        print_json(record)
    else:
        _print_figures(record)


def _print_list(figures: list[Figure], as_json: bool) -> None:
    if as_json:
        from quickstudy.cli.output import print_json

        print_json([{key: value for key, value in f._asdict().items() if key != "title"} for f in figures])
        return
    from rich.console import Console

    console = Console(highlight=False)
    for protocol, several in groupby(figures, key=lambda figure: figure.name.rsplit("-", 2)[0]):
        rows = list(several)
        console.print(f"[bold]{rows[0].title}[/]\n[dim]{rows[0].source}, {_kind(rows[0].transductive)}[/]")
        for row in rows:
            accuracy = " ".join(_percent(row.accuracy, row.ci95))
            console.print(f"  {row.name:<{len(protocol) + len('-20way-1shot')}}  {accuracy.strip()}")
        console.print()


def _print_figures(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    title = f"{record['title']}: {record['name']}, {record['split']}"
    table = Table("", "accuracy %", "95% interval", "tasks", title=title)
    paper = record["paper"]
    table.add_row(f"paper, {_kind(paper['transductive'])}", *_percent(paper["mean"], paper["ci95"]), "")
    for kind, ours in record["ours"].items():
        table.add_row(f"ours, {kind}", *_percent(ours["mean"], ours["ci95"]), str(ours["n_tasks"]))
    Console().print(table)
    trainings = [record[name] for name in ("first_training", "training") if name in record]
    minutes = sum(training["seconds"] for training in trainings) / 60
    print(f"trained in {minutes:.0f} min; {'; '.join(record['shortened']) or 'nothing shortened'}")


def _kind(transductive: bool) -> str:
    return "transductive" if transductive else "inductive"


def _percent(mean: float, ci95: float | None) -> tuple[str, str]:
    return f"{100 * mean:.2f}", "" if ci95 is None else f"± {100 * ci95:.2f}"
