"""Calibration of a run, saved in its folder or in a copy of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from quickstudy.classify.confidence import Calibration
from quickstudy.classify.confidence import calibrate as calibrate_learner
from quickstudy.errors import SettingError
from quickstudy.io.files import check_new, replace, whole_folder
from quickstudy.models.build import amend
from quickstudy.models.seal import FILES, seal
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import METRICS, RECORD, Run
from quickstudy.runs.settings import complete

_WRITTEN = ("probe.safetensors", "config.json", "seal.json")
"""What calibration changes; the seal is written last."""


def calibrate(
    run: Path | str,
    n_way: int | None = None,
    n_shot: int | None = None,
    *,
    n_tasks: int = 1000,
    data_root: Path | str | None = None,
    out: Path | str | None = None,
) -> Calibration:
    """Calibrate a run's probabilities on validation tasks, and save the result where `adapt` finds it.

    Args:
        run: Folder of a run, or the name of a model that comes with quickstudy, which needs ``out``.
        n_way: Classes of a task; the run's if None.
        n_shot: Support examples of each class; the run's if None.
        n_tasks: Validation tasks; one half fits, the other half measures.
        data_root: Folder of the data; the run's if None.
        out: New folder for a calibrated copy; the run itself is calibrated if None.

    Returns:
        The calibration and its errors before and after.

    Raises:
        ModelError: The folder is not a run.
        SettingError: The run learns functions, ``out`` exists already, or a model of quickstudy is given without it.
    """
    trained, out = Run(run), None if out is None else Path(out)
    if out is None:
        trained.check_writable("--out FOLDER writes a calibrated copy")
    else:
        check_new(out)
    changes = {"n_way": n_way, "n_shot": n_shot, "data_root": data_root}
    given = {name: value for name, value in changes.items() if value is not None}
    settings = complete({**trained.settings.model_dump(), **given})
    if settings.data == "sinusoid":
        raise SettingError(
            f"{trained.name!r} learns functions, and only classes have probabilities; calibrate a classifier"
        )
    experiment = Experiment(settings)
    tasks = experiment.test_tasks("validation")
    learner = trained.learner.to(experiment.device)
    calibration = calibrate_learner(learner, tasks, settings.n_way, settings.n_shot, n_tasks=n_tasks)
    with _copy(trained.folder, out) as folder:
        amend(folder, confidence=vars(calibration.confidence))
        seal(folder)
    return calibration


@contextmanager
def _copy(folder: Path, out: Path | None) -> Iterator[Path]:
    """A copy of a run to write to, which becomes ``out``, or replaces files of the run, when all of it is written."""
    names = [name for name in (*FILES, RECORD, METRICS) if (folder / name).exists()]
    if out is not None:
        with whole_folder(out) as partial:
            _copy_files(folder, partial, names)
            yield partial
        return
    with TemporaryDirectory(prefix="quickstudy-") as place:
        partial = Path(place)
        _copy_files(folder, partial, names)
        yield partial
        for name in _WRITTEN:
            if (partial / name).exists():  # a net of unknown input has no probe
                replace(folder / name, (partial / name).read_bytes())


def _copy_files(folder: Path, target: Path, names: list[str]) -> None:
    for name in names:
        replace(target / name, (folder / name).read_bytes())
