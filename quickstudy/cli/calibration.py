"""``quickstudy calibrate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quickstudy.classify.confidence import calibrate as calibrate_learner
from quickstudy.errors import SettingError
from quickstudy.models.build import amend
from quickstudy.models.seal import seal
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import open_run
from quickstudy.runs.settings import complete


def calibrate(run: Path, changes: dict[str, Any], n_tasks: int, as_json: bool) -> None:
    """Measure on validation tasks how far to believe a run, and keep it in its folder."""
    settings, learner = open_run(run)
    settings = complete({**settings.model_dump(), **changes}, dict.fromkeys(changes, "the command line"))
    if settings.data == "sinusoid":
        raise SettingError(
            f"{str(run)!r} learns functions, and only classes have probabilities; calibrate a classifier"
        )
    experiment = Experiment(settings)
    learner.to(experiment.device)
    found = calibrate_learner(
        learner, experiment.test_tasks("validation"), settings.n_way, settings.n_shot, n_tasks=n_tasks
    )
    amend(run, confidence=vars(found.confidence))
    seal(run)
    if as_json:
        print(json.dumps({**found._asdict(), "confidence": vars(found.confidence)}))
        return
    kind = f"{found.n_tasks} other validation tasks, {settings.n_way}-way {settings.n_shot}-shot, inductive"
    print(f"expected calibration error {100 * found.before:.2f} % -> {100 * found.after:.2f} % ({kind})")
    print(f"accuracy {100 * found.accuracy:.2f} %; kept in {run}: `quickstudy adapt` passes it on")
