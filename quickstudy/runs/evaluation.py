"""Evaluation of a run on new tasks of a source or on a published challenge, with a record of the measurement."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple, get_args

from quickstudy.errors import DataError, SettingError, unknown
from quickstudy.inputs.cache import data_folder
from quickstudy.inputs.images import Images
from quickstudy.learners import Aligned, Learner, Turned
from quickstudy.learners.metric import MetricLearner
from quickstudy.learners.supervised import SupervisedLearner
from quickstudy.nets import Views
from quickstudy.runs.arguments import check_applies
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.needs import IMAGES
from quickstudy.runs.provenance import provenance
from quickstudy.runs.run import Run
from quickstudy.runs.settings import Settings, complete
from quickstudy.tasks.lake import LakeTrials
from quickstudy.tasks.splits import Split
from quickstudy.training.evaluation import Evaluation, evaluate
from quickstudy.training.process import threads

UNBALANCED = 2.0
"""Parameter of the Dirichlet distribution of unbalanced queries."""


class Score(NamedTuple):
    """Result of the evaluation of a run; ``print`` shows it as one line.

    Attributes:
        evaluation: Mean over tasks with its 95% interval.
        record: Evaluation, tasks, training and measurement as plain data for JSON.
        line: Evaluation as one line of text.
    """

    evaluation: Evaluation
    record: dict[str, Any]
    line: str

    def __str__(self) -> str:
        return self.line


def evaluate_run(
    run: Path | str,
    n_tasks: int = 600,
    split: str = "test",
    *,
    data: str | None = None,
    data_root: Path | str | None = None,
    n_way: int | None = None,
    n_shot: int | None = None,
    n_query: int | None = None,
    seed: int | None = None,
    rotate: bool = False,
    test_steps: int | None = None,
    transductive: bool | None = None,
    views: int | None = None,
    aligned: bool = False,
    turned: bool = False,
    one_to_one: bool = False,
    unbalanced: bool = False,
) -> Score:
    """Evaluate a run on tasks of a split; a value of None is that of the run's training.

    The result is also kept in the run's folder, in ``result.json``.

    Args:
        run: Folder of a run, or the name of a model that comes with quickstudy.
        n_tasks: Number of tasks.
        split: "train", "validation" or "test".
        data: Name of another source than the run's.
        data_root: Folder of the data.
        n_way: Classes of a task.
        n_shot: Support examples of each class.
        n_query: Query examples of each class.
        seed: Seed of the tasks.
        rotate: Turn each class of each task at random.
        test_steps: Inner steps.
        transductive: Normalise queries by their own batch statistics.
        views: Test-time augmentation: average over this number of views of each image (see ``Views``).
        aligned: Best pair of a query's view and a view of the support, in place of the average (see ``Aligned``).
        turned: Test-time augmentation: average over the four quarter turns of each image.
        one_to_one: Use that each class occurs equally often among the queries.
        unbalanced: Draw the classes' shares of each task's queries from a Dirichlet distribution with parameter 2, as
            in Veilleux et al. 2021, arXiv:2204.11181. The number of all queries stays.

    Raises:
        ModelError: The folder is not a run.
        SettingError: A value is out of range, or does not apply to the run's learner.
        DataError: The data is missing, or its inputs differ from the run's.

    >>> str(evaluate_run("glyphs-proto", n_tasks=2, data="digits")).partition(":")[0]
    'digits test, 5-way 1-shot'
    """
    if split not in get_args(Split):
        raise SettingError(unknown("split", split, get_args(Split)))
    trained = Run(run)
    changes = {"data": data, "data_root": data_root, "n_way": n_way, "n_shot": n_shot, "n_query": n_query, "seed": seed}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = complete({**trained.settings.model_dump(), **given}, dict.fromkeys(given, "the command line"))
    learner = _learner(trained, settings, test_steps, transductive, views, aligned, turned)
    if rotate and not IMAGES.holds(settings):
        raise SettingError(f"--rotate needs images, but {settings.data} has none; leave it out")
    if unbalanced and one_to_one:
        raise SettingError("one_to_one needs classes that occur equally often, and unbalanced draws them unequally")
    experiment = Experiment(settings, inputs=trained.model.inputs)
    _check_inputs(experiment, trained)
    tasks = experiment.test_tasks(split, rotate, UNBALANCED if unbalanced else None)  # type: ignore[arg-type]
    with threads(settings.threads):
        result = evaluate(learner.to(experiment.device), tasks, n_tasks=n_tasks, one_to_one=one_to_one, bar=True)
        made_with = provenance()
    record = {
        "algorithm": settings.algorithm,
        "data": settings.data,
        "split": f"{split} classes of the {settings.split} split" if settings.data == "omniglot" else split,
        "n_way": settings.n_way,
        "n_shot": settings.n_shot,
        "n_query": settings.n_query,
        "rotate": rotate,
        "test_steps": getattr(trained.learner, "test_steps", None),
        "views": views,
        "aligned": aligned,
        "turned": turned,
        "one_to_one": one_to_one,
        "unbalanced": unbalanced,
        "seed": settings.seed,
        **result.summary(),
        "evaluation": made_with,
    }
    trained.save_result(record)
    record["training"] = trained.summary()
    if experiment.loaded is None:
        return Score(result, record, f"{settings.data}, {settings.n_shot} points: {result}")
    where = f"{settings.data} {split}, {settings.n_way}-way {settings.n_shot}-shot"
    cost = f"{1000 * result.seconds_per_adaptation:.1f} ms to adapt"
    shares = ", unbalanced queries" if unbalanced else ""
    return Score(result, record, f"{where}: {result}{shares} (chance {100 / settings.n_way:.1f} %, {cost})")


def evaluate_challenge(
    run: Path | str,
    challenge: str = "lake",
    data_root: Path | str | None = None,
    *,
    test_steps: int | None = None,
    transductive: bool | None = None,
    views: int | None = None,
    aligned: bool = False,
    turned: bool = False,
    one_to_one: bool = False,
) -> Score:
    """Evaluate a run on the tasks of a published challenge.

    Args:
        run: Folder of a run, or the name of a model that comes with quickstudy.
        challenge: "lake": the 20 one-shot runs of Omniglot's ``all_runs.zip``.
        data_root: Folder of the archive; the cache folder of Omniglot if None.
        test_steps, transductive, views, aligned, turned, one_to_one: The same as for ``evaluate_run``.

    Raises:
        SettingError: The challenge is unknown, or a value does not apply to the run's learner.
        DataError: The archive is missing, or the run was trained on other images.
    """
    if challenge != "lake":
        raise SettingError(unknown("challenge", challenge, ["lake"]))
    trained = Run(run)
    learner = _learner(trained, trained.settings, test_steps, transductive, views, aligned, turned)
    if trained.model.inputs != Images():
        raise DataError(
            f"{trained.name!r} was trained on other inputs than the challenge's 28x28 drawings; choose another run"
        )
    trials = LakeTrials(Path(data_root or data_folder() / "omniglot"))
    result = evaluate(learner, trials, n_tasks=len(trials), one_to_one=one_to_one)
    record = {
        "challenge": challenge,
        "algorithm": trained.settings.algorithm,
        "views": views,
        "aligned": aligned,
        "turned": turned,
        "one_to_one": one_to_one,
        "error": 1 - result.mean,
        **result.summary(),
        "evaluation": provenance(),
    }
    trained.save_result(record)
    record["training"] = trained.summary()
    n_way, kind = trials.runs[0].support.y.shape[-1], "transductive" if result.transductive else "inductive"
    known = ", each character once" if one_to_one else ""
    interval = f"± {100 * result.ci95:.2f} % over {len(trials)} runs of {n_way}-way 1-shot, {kind}{known}"
    line = f"Lake's challenge: error {100 * (1 - result.mean):.2f} {interval} (people 4.5 %)"
    return Score(result, record, line)


def _learner(
    run: Run,
    settings: Settings,
    test_steps: int | None,
    transductive: bool | None,
    views: int | None,
    aligned: bool,
    turned: bool,
) -> Learner:
    """Return the run's learner with the requested inner steps, normalisation and test-time augmentation."""
    learner = run.learner
    for name, value in {"test_steps": test_steps, "transductive": transductive}.items():
        if value is not None:
            check_applies(name, settings.algorithm)
            setattr(learner, name, value)
    if views is not None:
        if not isinstance(learner, MetricLearner | SupervisedLearner) or not IMAGES.holds(settings):
            raise SettingError(
                f"views = {views} has no effect with {settings.algorithm} on {settings.data}: views need images and a "
                f"net that tasks do not change; leave them out"
            )
        if not aligned:
            learner.net = Views(learner.net, views)
        elif isinstance(learner, MetricLearner):
            learner = Aligned(learner, views)
        else:
            raise SettingError(
                f"{settings.algorithm} trains a new head and compares no embeddings; leave out --aligned"
            )
    elif aligned:
        raise SettingError("--aligned has no effect without views; add --views 16")
    if turned and not IMAGES.holds(settings):
        raise SettingError(f"--turned needs images, but {settings.data} has none; leave it out")
    return Turned(learner) if turned else learner


def _check_inputs(experiment: Experiment, run: Run) -> None:
    trained, given = run.model.inputs, experiment.loaded and experiment.loaded.inputs
    if trained != given:
        raise DataError(
            f"{experiment.settings.data} gives {given}, but the run was trained on {trained}; choose other data"
        )
