"""``quickstudy train``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quickstudy.settings import Settings, load_settings


def train(flags: dict[str, Any], out: Path | None, config: Path | None, print_settings: bool) -> None:
    """Train as the settings say, with a progress bar on a terminal."""
    settings = load_settings(config, flags=flags)
    if print_settings:
        print(settings.model_dump_json(indent=2))
        return
    from quickstudy.experiment import Experiment
    from quickstudy.training import show

    folder = out or Path("runs") / default_name(settings)
    for _ in show(Experiment(settings).train(folder), settings.steps, f"{settings.algorithm} on {settings.data}"):
        pass
    print(folder)


def default_name(settings: Settings) -> str:
    """Name of a run's folder."""
    s = settings
    return f"{s.algorithm}-{s.data}-{s.n_way}way-{s.n_shot}shot-seed{s.seed}"
