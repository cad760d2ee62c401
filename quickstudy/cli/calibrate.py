"""``quickstudy calibrate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quickstudy.cli.options import DataRoot, Json, RunFolder


def calibrate(
    run: RunFolder,
    n_way: Annotated[int | None, typer.Option(min=2, help="Classes of a task; the run's if not given.")] = None,
    n_shot: Annotated[
        int | None, typer.Option(min=1, help="Support examples per class; the run's if not given.")
    ] = None,
    like: Annotated[
        Path | None, typer.Option(help="Classifier whose numbers of labels and examples the tasks have.")
    ] = None,
    n_tasks: Annotated[
        int, typer.Option(min=2, help="Validation tasks; one half fits, the other half measures.")
    ] = 1000,
    data_root: DataRoot = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", help="Folder for a calibrated copy; the run itself if not given.")
    ] = None,
    json: Json = False,
) -> None:
    """Calibrate a run's probabilities, and let it answer "none of these", by measurement on validation classes."""
    from quickstudy.cli.output import print_json
    from quickstudy.runs.calibration import calibrate

    result = calibrate(run, n_way, n_shot, like=like, n_tasks=n_tasks, data_root=data_root, out=out)
    confidence = result.confidence
    if json:
        print_json({**result._asdict(), "confidence": vars(confidence)})
        return
    kind = "transductive" if result.transductive else "inductive"
    tasks = f"{result.n_tasks} other validation tasks, {confidence.n_way}-way {confidence.n_shot}-shot, {kind}"
    print(f"expected calibration error {100 * result.before:.2f} % -> {100 * result.after:.2f} % ({tasks})")
    if result.limit is not None:
        print(
            f"all {result.n_answers:,} answers were right, so these tasks show only that fewer than "
            f"{100 * result.limit:.2g} % are wrong (95 %); harder tasks, such as more classes by --n-way, show more"
        )
    print(f"accuracy {100 * result.accuracy:.2f} %; saved in {out or run}, where `quickstudy adapt` uses it")
