"""``quickstudy evaluate``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

from quickstudy.classify.classifier import image_format
from quickstudy.errors import DataError, SettingError, unknown
from quickstudy.inputs.cache import data_folder
from quickstudy.inputs.images import ImageFormat
from quickstudy.io.files import replace
from quickstudy.learners import Learner, Turned
from quickstudy.learners.metric import MetricLearner
from quickstudy.learners.supervised import SupervisedLearner
from quickstudy.models.build import locate, read_config
from quickstudy.nets import Views
from quickstudy.runs.experiment import Experiment, check_applies
from quickstudy.runs.provenance import provenance
from quickstudy.runs.run import open_run
from quickstudy.runs.settings import VECTORS, Settings, complete
from quickstudy.tasks.lake import LakeTrials
from quickstudy.tasks.splits import Split
from quickstudy.training.evaluation import evaluate as evaluate_learner


def evaluate(
    run: Path,
    changes: dict[str, Any],
    n_tasks: int,
    split: str,
    test_steps: int | None,
    transductive: bool | None,
    rotate: bool,
    views: int | None,
    turned: bool,
    one_to_one: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Evaluate a run on tasks of a split; ``changes`` are settings of the tasks that differ from the run's."""
    if split not in get_args(Split):
        raise SettingError(unknown("split", split, get_args(Split)))
    run = locate(run)
    settings, learner = open_run(run)
    settings = complete({**settings.model_dump(), **changes}, dict.fromkeys(changes, "the command line"))
    _change(learner, settings.algorithm, test_steps=test_steps, transductive=transductive)
    looking = _look(learner, settings, views, turned)
    experiment = Experiment(settings)
    _check_images(experiment, run)
    looking.to(experiment.device)
    tasks = experiment.test_tasks(split, rotate)  # type: ignore[arg-type]
    result = evaluate_learner(looking, tasks, n_tasks=n_tasks, one_to_one=one_to_one, bar=True)
    record = {
        "algorithm": settings.algorithm,
        "data": settings.data,
        "split": f"{split} classes of the {settings.split} split" if settings.data == "omniglot" else split,
        "n_way": settings.n_way,
        "n_shot": settings.n_shot,
        "n_query": settings.n_query,
        "rotate": rotate,
        "test_steps": getattr(learner, "test_steps", None),
        "views": views,
        "turned": turned,
        "one_to_one": one_to_one,
        "seed": settings.seed,
        **result.summary(),
        "training": json.loads((run / "run.json").read_bytes()) | {"seconds": _seconds(run)},
        "evaluation": provenance(),
    }
    if _kept(record, out, as_json):
        return
    if settings.data == "sinusoid":
        print(f"sinusoid, {settings.n_shot} points: {result}")
    else:
        chance = f"chance {100 / settings.n_way:.1f} %"
        where = f"{settings.data} {split}, {settings.n_way}-way {settings.n_shot}-shot"
        print(f"{where}: {result} ({chance}, {1000 * result.seconds_per_adaptation:.1f} ms to adapt)")


def evaluate_challenge(
    run: Path,
    challenge: str,
    root: Path | None,
    test_steps: int | None,
    transductive: bool | None,
    views: int | None,
    turned: bool,
    one_to_one: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Error of a run on a challenge's own tasks."""
    if challenge != "lake":
        raise SettingError(unknown("challenge", challenge, ["lake"]))
    run = locate(run)
    settings, learner = open_run(run)
    _change(learner, settings.algorithm, test_steps=test_steps, transductive=transductive)
    looking = _look(learner, settings, views, turned)
    if image_format(run) != ImageFormat():
        raise DataError("the trials are 28x28 drawings in ink, and the run was trained on other images; choose another")
    trials = LakeTrials(root or data_folder() / "omniglot")
    result = evaluate_learner(looking, trials, n_tasks=len(trials), one_to_one=one_to_one)
    record = {
        "challenge": challenge,
        "algorithm": settings.algorithm,
        "views": views,
        "turned": turned,
        "one_to_one": one_to_one,
        "error": 1 - result.mean,
        **result.summary(),
        "training": json.loads((run / "run.json").read_bytes()) | {"seconds": _seconds(run)},
        "evaluation": provenance(),
    }
    if not _kept(record, out, as_json):
        n_way, how = trials.runs[0].support.y.shape[-1], "transductive" if result.transductive else "inductive"
        how += ", each character once" if one_to_one else ""
        interval = f"± {100 * result.ci95:.2f} % over {len(trials)} runs of {n_way}-way 1-shot, {how}"
        print(f"Lake's challenge: error {100 * (1 - result.mean):.2f} {interval} (people 4.5 %)")


def _change(learner: Learner, algorithm: str, **attributes: Any) -> None:
    for name, value in attributes.items():
        if value is not None:
            check_applies(name, algorithm)
            setattr(learner, name, value)


def _look(learner: Learner, settings: Settings, views: int | None, turned: bool) -> Learner:
    """A learner that sees each image as several."""
    if views is not None:
        if not isinstance(learner, MetricLearner | SupervisedLearner) or settings.data in VECTORS:
            raise SettingError(
                f"views are of images whose embedding a task does not change, and this is {settings.algorithm} on "
                f"{settings.data}; leave them out"
            )
        learner.net = Views(learner.net, views)
    if turned and settings.data in VECTORS:
        raise SettingError(f"--turned is for images, and {settings.data} has none; leave it out")
    return Turned(learner) if turned else learner


def _kept(record: dict[str, Any], out: Path | None, as_json: bool) -> bool:
    """Write a record where asked; whether it was printed."""
    if out is not None:
        replace(out, (json.dumps(record, indent=2) + "\n").encode())
    if as_json:
        print(json.dumps(record))
    return as_json


def _check_images(experiment: Experiment, run: Path) -> None:
    images = read_config(run).get("images")
    there = vars(experiment.source.images) if experiment.source and experiment.source.images else None
    if images != there:
        raise DataError(
            f"{experiment.settings.data} gives {there}, but the run was trained on {images}; choose other data"
        )


def _seconds(run: Path) -> float | None:
    """How long the run was trained; unknown of a model that comes with quickstudy."""
    path = run / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return float(json.loads(lines[-1])["seconds"]) if lines else None
