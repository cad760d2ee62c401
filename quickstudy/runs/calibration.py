"""Calibration of a run, saved in its folder or in a copy of it."""

from __future__ import annotations

from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.confidence import Calibration
from quickstudy.classify.confidence import calibrate as calibrate_learner
from quickstudy.errors import ModelError, SettingError
from quickstudy.io.files import check_new, replace, whole_folder
from quickstudy.models.folder import ModelFolder
from quickstudy.models.seal import changed, read_seal
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.needs import kind_of
from quickstudy.runs.run import METRICS, RECORD, RESULT, Run
from quickstudy.runs.settings import complete
from quickstudy.training.process import threads


def calibrate(
    run: Path | str,
    n_way: int | None = None,
    n_shot: int | None = None,
    *,
    like: Path | str | None = None,
    n_tasks: int = 1000,
    data_root: Path | str | None = None,
    out: Path | str | None = None,
) -> Calibration:
    """Calibrate a run's probabilities on validation tasks, and save the result where `adapt` finds it.

    Args:
        run: Folder of a run, or the name of a model that comes with quickstudy, which needs ``out``.
        n_way: Classes of a task; the run's if None.
        n_shot: Support examples of each class; the run's if None.
        like: Folder of a classifier, whose number of labels and examples of its smallest class replace both.
        n_tasks: Validation tasks; one half fits, the other half measures.
        data_root: Folder of the data; the run's if None.
        out: New folder for a calibrated copy; the run itself is calibrated if None.

    Returns:
        The calibration and its errors before and after.

    Raises:
        ModelError: The folder is not a run, or its model is damaged.
        SettingError: The run learns functions, or ``out`` exists already, or it is missing for a model of quickstudy.
    """
    trained, out = Run(run), None if out is None else Path(out)
    if out is None:
        trained.check_writable("--out FOLDER writes a calibrated copy")
    else:
        check_new(out)
    if like is not None:
        if (n_way, n_shot) != (None, None):
            raise SettingError("like and n_way or n_shot say the same twice; give one of them")
        counts = Classifier.load(like).data.counts
        n_way, n_shot = len(counts), int(counts.min())
    changes = {"n_way": n_way, "n_shot": n_shot, "data_root": data_root}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = complete({**trained.settings.model_dump(), **given}, dict.fromkeys(given, "the command line"))
    if kind_of(settings.data) is None:
        raise SettingError(
            f"{trained.name!r} learns functions, which have no probabilities of classes; calibrate a run on classes"
        )
    sums = read_seal(trained.folder)
    for fault in changed(trained.folder, sums):
        raise ModelError(f"{fault}; nothing is written")
    # Validation characters do not depend on the number of training characters, so few of those are drawn.
    drawn = settings.model_copy(update={"glyph_classes": 1}) if settings.data == "glyphs" else settings
    experiment = Experiment(drawn, inputs=trained.model.inputs)
    tasks = experiment.test_tasks("validation")
    learner = trained.learner.to(experiment.device)
    with threads(settings.threads):
        calibration = calibrate_learner(learner, tasks, settings.n_way, settings.n_shot, n_tasks=n_tasks)
    if out is None:
        ModelFolder(trained.folder).amend(confidence=vars(calibration.confidence))
        return calibration
    with whole_folder(out) as partial:
        for name in (*sums, "seal.json", RECORD, METRICS, RESULT):
            if (trained.folder / name).exists():
                replace(partial / name, (trained.folder / name).read_bytes())
        ModelFolder(partial).amend(confidence=vars(calibration.confidence))
    return calibration
