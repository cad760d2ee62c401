"""``quickstudy train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from quickstudy.settings import Settings, load_settings


def train(flags: dict[str, Any], out: Path | None, config: Path | None, print_settings: bool) -> None:
    """Train as the settings say, with a progress bar on a terminal."""
    settings = load_settings(config, flags=flags)
    if print_settings:
        print(settings.model_dump_json(indent=2))
        return
    from quickstudy.experiment import Experiment

    folder = out or Path("runs") / default_name(settings)
    experiment = Experiment(settings)
    console = Console(stderr=True)
    with progress_bar(console) as bar:
        task = bar.add_task(f"{settings.algorithm} on {settings.data}", total=settings.steps, loss="", validation="")
        for p in experiment.train(folder):
            bar.update(task, completed=p.step, loss=f"loss {p.loss:.4f}")
            if p.validation is not None:
                bar.update(task, validation=str(p.validation))
    print(folder)


def progress_bar(console: Console) -> Progress:
    """Steps, loss, validation and time left; nothing where there is no terminal."""
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}"),
        TextColumn("{task.fields[loss]}"),
        TextColumn("{task.fields[validation]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        disable=not console.is_terminal,
    )


def default_name(settings: Settings) -> str:
    """Name of a run's folder."""
    s = settings
    return f"{s.algorithm}-{s.data}-{s.n_way}way-{s.n_shot}shot-seed{s.seed}"
