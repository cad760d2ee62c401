"""Overview of the runs in a folder: what differs in their settings, their results, and a plot of their training."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

from quickstudy.errors import DataError, QuickstudyError, SettingError
from quickstudy.io.files import replace
from quickstudy.runs.run import RECORD, Run

_ALWAYS = ("algorithm", "data", "n_way", "n_shot")
"""Settings that are listed where all runs agree on everything."""
_NOT_LISTED = ("steps", "data_root", "tensorboard", "device", "threads", "workers", "worker_timeout")
"""Settings that say nothing about the result, or are listed as a part of it."""


def find_runs(folder: Path | str = "runs") -> list[Run]:
    """Return the runs in a folder and in the folders below it, or the run that it is itself, sorted by name.

    Raises:
        DataError: There is no run.
    """
    folder = Path(folder)
    places = [path.parent for path in folder.rglob(RECORD)]
    if not places:
        raise DataError(f"no run in {str(folder)!r}; make one by `quickstudy train`, or give the folder of your runs")
    return [Run(place) for place in sorted(places)]


def list_runs(folder: Path | str = "runs") -> list[dict[str, Any]]:
    """List the runs in a folder: what differs in their settings, and the result of each.

    Args:
        folder: Folder of runs, which may lie in folders below it, or one run.

    Returns:
        A dictionary for each run: run (its folder), settings (those that differ between the runs), validation (the best
        one), step, steps, seconds and evaluations. A run that cannot be read has run and fault, the reason.

    Raises:
        DataError: There is no run.
    """
    rows: list[dict[str, Any]] = []
    settings = []
    for run in find_runs(folder):
        try:
            row = {"run": run.name, "settings": {}, **run.result, "evaluations": run.evaluations}
            settings.append(run.settings.model_dump(mode="json"))
            rows.append(row)
        except QuickstudyError as error:
            rows.append({"run": run.name, "fault": str(error)})
    sound = [row for row in rows if "fault" not in row]
    differ = [
        name
        for name in (settings[0] if settings else {})
        if name not in _NOT_LISTED and any(each[name] != settings[0][name] for each in settings)
    ]
    for row, each in zip(sound, settings, strict=True):
        row["settings"] = {name: each[name] for name in differ or _ALWAYS}
    return rows


def draw_runs(runs: Sequence[Run], path: Path | str) -> None:
    """Draw the loss and the validations of runs over their steps as a PNG file.

    Raises:
        DataError: No step of the runs is recorded.
        ModelError: The metrics of a run are damaged.
        SettingError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingError("matplotlib is not installed; pip install 'quickstudy[plot]'") from None
    figure = Figure(figsize=(10, 4), layout="constrained")
    losses, validations = figure.subplots(1, 2)
    for number, run in enumerate(runs):
        lines = list(run.metrics())
        colour = f"C{number % 10}"
        losses.plot([line["step"] for line in lines], [line["loss"] for line in lines], colour, label=run.name, lw=0.8)
        points = [(line["step"], line["validation"]) for line in lines if line.get("validation")]
        steps, means, errors = (
            [step for step, _ in points],
            [validation["mean"] for _, validation in points],
            [validation["ci95"] for _, validation in points],
        )
        validations.errorbar(steps, means, errors, color=colour, marker="o", markersize=3, capsize=2, label=run.name)
    if not losses.lines or not any(len(line.get_xdata()) for line in losses.lines):
        raise DataError(f"{', '.join(run.name for run in runs)}: no step is recorded; there is nothing to draw")
    losses.set(title="loss of training tasks", xlabel="step")
    validations.set(title="validation: mean and its 95 % interval", xlabel="step")
    validations.legend(fontsize=8)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110)
    replace(Path(path), content.getvalue())
