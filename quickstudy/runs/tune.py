"""Search of settings by Optuna: short runs answer, and those that fall behind end early."""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from filelock import FileLock, Timeout

from quickstudy.errors import DataError, Interrupted, QuickstudyError, SettingError, one_line
from quickstudy.io.console import note
from quickstudy.io.files import replace
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.needs import default_of
from quickstudy.runs.run import Run
from quickstudy.runs.settings import Settings, complete, gather
from quickstudy.runs.signals import between_steps
from quickstudy.runs.space import Space, space_of
from quickstudy.tasks.source import FunctionSource

if TYPE_CHECKING:
    import optuna

_FACTOR = 3  # at each validation, the best third continues
_SEEDS = 100_000  # trials of a study whose proposals have different seeds
_PLACE = "folder"  # a trial's attribute: the machine and the folder of its run


class Tuned(NamedTuple):
    """Result of a search.

    Attributes:
        settings: The best settings of the search, by name.
        validation: Their best validation: accuracy, or the mean squared error.
        trials: Number of trials that ended, by state: "complete" and "pruned".
        file: TOML file of all settings that were given or found, for ``train --config``.
    """

    settings: dict[str, Any]
    validation: float
    trials: dict[str, int]
    file: Path


def tune(
    space: Sequence[str],
    out: Path | str,
    *,
    config: Path | str | None = None,
    flags: Mapping[str, Any] | None = None,
    trials: int = 40,
    budget: float | None = None,
    storage: str | None = None,
) -> Tuned:
    """Search settings by validation tasks, and write the best ones to a file.

    The first trial has the values that are given or preset, where they lie in the space. Then Optuna's TPE sampler
    proposes. Each trial is a run in the folder. At each validation, a run that is not in the best
    third of those that came so far ends (successive halving). The same call continues a study after an interruption.
    Several processes may share one study: on one machine by its folder, on several by a database.

    Args:
        space: Ranges and choices, such as "inner_lr=1e-3..1" and "width=32|64". A wide range is searched by logarithm.
        out: Folder of the study: its journal, a run per trial, ``best.toml`` and ``study.png``.
        config: TOML file of the other settings.
        flags: Settings that override the file and ``QUICKSTUDY_*`` variables.
        trials: Number of trials of the study, by all processes together.
        budget: Minutes after which this call ends; its last run is continued by the next call.
        storage: URL of a database instead of the journal, such as "postgresql://...".

    Raises:
        SettingError: The space or a setting is wrong, the study searches something else, or Optuna is not installed.
        Interrupted: A signal ended the search, which was saved.
        DataError: The budget ended before the first validation.

    >>> from tempfile import TemporaryDirectory
    >>> fixed = {"algorithm": "maml", "data": "sinusoid", "steps": 2, "validation_tasks": 2}
    >>> with TemporaryDirectory() as folder:
    ...     tune(["inner_lr=1e-3..1e-1"], folder, flags=fixed, trials=1).trials
    {'complete': 1, 'pruned': 0}
    """
    given, origin = gather(None if config is None else Path(config), None, flags)
    search = Search(space_of(space), Path(out), given, origin, storage)
    end = float("inf") if budget is None else time.monotonic() + 60 * budget
    with between_steps() as stop:
        while time.monotonic() < end:
            with search.next_trial(trials) as trial:
                if trial is None:
                    break
                search.run(trial, stop, end)
    return search.result()


class Search:
    """A study of Optuna in a folder, and the runs of its trials.

    Args:
        space: Ranges and choices of settings.
        out: Folder.
        given: Settings that are fixed.
        origin: Source of each of them, for messages.
        storage: URL of a database, or None for a journal in the folder.
    """

    def __init__(
        self, space: Space, out: Path, given: dict[str, Any], origin: dict[str, str], storage: str | None
    ) -> None:
        try:
            import optuna
        except ImportError:
            raise SettingError("optuna is not installed; pip install 'quickstudy[tune]'") from None
        self.optuna, self.out, self.given, self.origin = optuna, out.resolve(), given, origin
        self.distributions: dict[str, Any] = {name: each.distribution() for name, each in space.items()}
        first = {name: _first(each) for name, each in self.distributions.items()}
        base = self.settings(first)
        # A wrong name or value is refused before the first trial, not in its turn.
        self.meant = {
            name: {value: getattr(self.settings(first | {name: value}), name) for value in each.choices}
            for name, each in self.distributions.items()
            if hasattr(each, "choices")
        }
        experiment = Experiment(base)
        experiment.check(self.out)
        self.seed = base.seed
        fixed = {name: value for name, value in base.model_dump(mode="json").items() if name not in space}
        about = json.dumps({"space": {k: str(v) for k, v in space.items()}, "settings": fixed}, sort_keys=True)
        self.out.mkdir(parents=True, exist_ok=True)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self.study = optuna.create_study(
            storage=_journal(self.out / "study.log") if storage is None else _database(storage),
            study_name=self.out.name,
            load_if_exists=True,
            direction="minimize" if isinstance(experiment.source, FunctionSource) else "maximize",
            pruner=optuna.pruners.SuccessiveHalvingPruner(min_resource=1, reduction_factor=_FACTOR),
        )
        if self.study.user_attrs.get("about", about) != about:
            raise SettingError(f"the study in {str(out)!r} has another space or settings; choose another --out")
        self.study.set_user_attr("about", about)

    def settings(self, found: Mapping[str, Any]) -> Settings:
        """Return the settings of a trial."""
        return complete(self.given | dict(found), self.origin | dict.fromkeys(found, "--space"))

    def known(self) -> dict[str, Any]:
        """Return what is searched as it would be without a search, where that lies in the space."""
        try:
            settings = self.settings({})
        except SettingError:  # such as a net that lacks what another setting needs
            return {}
        result: dict[str, Any] = {}
        for name, each in self.distributions.items():
            value = default_of(settings, name)
            if name in self.meant:
                alike = [choice for choice, meant in self.meant[name].items() if meant == value]
            else:
                alike = [] if value is None or not each.low <= value <= each.high else [value]
            if alike:
                result[name] = alike[0]
        return result

    @contextmanager
    def next_trial(self, trials: int) -> Iterator[optuna.Trial | None]:
        """Context with a trial of this process alone: an interrupted one, else a new one, or None if all are done.

        A trial is locked while its process lives. One that is running and not locked was left by a process that ended:
        it counts as failed, and a new trial continues its run.
        """
        states = self.optuna.trial.TrialState
        with FileLock(self.out / "study.lock"):
            for left in self.study.get_trials(states=[states.RUNNING]):
                machine, folder = left.user_attrs.get(_PLACE, ("", ""))
                if machine == platform.node() and _is_free(folder):
                    self.study.enqueue_trial(left.params, user_attrs={_PLACE: (machine, folder)})
                    self.study.tell(left.number, state=states.FAIL)
            every = self.study.get_trials(deepcopy=False)
            waiting = any(each.state == states.WAITING for each in every)
            if not waiting and sum(each.state != states.FAIL for each in every) >= trials:
                yield None
                return
            if not every:
                self.study.enqueue_trial(self.known(), skip_if_exists=True)
            self.study.sampler = self.optuna.samplers.TPESampler(seed=_SEEDS * self.seed + len(every))
            trial = self.study.ask(self.distributions)
            if _PLACE not in trial.user_attrs:
                folder = self.out / f"trial-{trial.number:04d}"
                if folder.exists():
                    self.study.tell(trial, state=states.FAIL)
                    raise SettingError(f"{str(folder)!r} is a run of another study; choose another --out")
                trial.set_user_attr(_PLACE, (platform.node(), str(folder)))
            lock = FileLock(_lock_of(trial.user_attrs[_PLACE][1]))
            lock.acquire()
        try:
            yield trial
        finally:
            lock.release()

    def run(self, trial: optuna.Trial, stop: Callable[[], int], end: float) -> None:
        """Train the run of a trial, from where it was left, until it is done, pruned, or the time is over."""
        states = self.optuna.trial.TrialState
        run = Run(trial.user_attrs[_PLACE][1])
        resume = run.exists()
        earlier = [line["validation"]["mean"] for line in run.metrics() if line.get("validation")] if resume else []
        for number, mean in enumerate(earlier, 1):
            trial.report(float("nan") if mean is None else mean, number)
        number = len(earlier)
        try:
            settings = self.settings({name: trial.params[name] for name in self.distributions})
            for progress in Experiment(settings).train(run.folder, resume=resume, stop=stop):
                if progress.validation is None:
                    continue
                number += 1
                trial.report(progress.validation.mean, number)
                if trial.should_prune():
                    self.study.tell(trial, state=states.PRUNED)
                    return
                if time.monotonic() >= end and not progress.last:
                    return
        except Interrupted:
            raise
        except QuickstudyError as error:
            note(f"trial {trial.number} failed, and counts as pruned: {error}")
            self.study.tell(trial, state=states.PRUNED)
            return
        validation = Run(run.folder).validation
        if validation is None or validation["mean"] is None:
            note(f"trial {trial.number} ended without a finite validation, and counts as pruned")
            self.study.tell(trial, state=states.PRUNED)
            return
        self.study.tell(trial, validation["mean"])

    def result(self) -> Tuned:
        """Write the best settings and the picture of the study.

        Raises:
            DataError: No trial is complete.
        """
        states = [trial.state.name.lower() for trial in self.study.get_trials(deepcopy=False)]
        if "complete" not in states:
            raise DataError(f"no trial of the study in {str(self.out)!r} is complete; give more trials or minutes")
        best = self.study.best_trial
        values = {name: best.params[name] for name in self.distributions}
        file = self.out / "best.toml"
        replace(file, _toml(self.given | values).encode())
        _draw(self.study, list(self.distributions), self.out / "study.png")
        counts = {name: states.count(name) for name in ("complete", "pruned")}
        return Tuned(values, float(best.value or 0), counts, file)


def _journal(path: Path) -> optuna.storages.BaseStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError) as error:
        raise DataError(f"the journal {str(path)!r} is damaged: {one_line(error)}; choose another --out") from error


def _database(url: str) -> optuna.storages.BaseStorage:
    from optuna.storages import get_storage

    try:
        return get_storage(url)
    except Exception as error:  # drivers of databases may raise any error; the URL may hold a password
        raise SettingError(
            f"--storage: the database cannot be used: {one_line(error)}; correct its URL, or install its driver"
        ) from error


def _first(distribution: Any) -> Any:
    """Return some value of a distribution."""
    return distribution.choices[0] if hasattr(distribution, "choices") else distribution.low


def _lock_of(folder: str) -> str:
    return f"{folder}.lock"


def _is_free(folder: str) -> bool:
    """Return whether no process holds the lock of a trial."""
    try:
        with FileLock(_lock_of(folder), blocking=False):
            return True
    except Timeout:
        return False


def _toml(settings: Mapping[str, Any]) -> str:
    """Return settings as TOML.

    >>> print(_toml({"inner_lr": 0.1, "arguments": {"temperature": 2}, "algorithm": "maml"}), end="")
    inner_lr = 0.1
    algorithm = "maml"
    arguments = {"temperature" = 2}
    """
    lines = [f"{name} = {_toml_value(value)}" for name, value in settings.items() if value is not None]
    return "\n".join(sorted(lines, key=lambda line: line.startswith("arguments"))) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{_toml_value(k)} = {_toml_value(v)}" for k, v in value.items() if v is not None)
        return "{" + ", ".join(pairs) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_toml_value, value)) + "]"
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


def _draw(study: optuna.Study, names: Sequence[str], path: Path) -> None:
    """Draw the validations of the trials in their order, and over each setting; without matplotlib, nothing."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    trials = [trial for trial in study.get_trials(deepcopy=False) if trial.intermediate_values]
    values = [trial.intermediate_values[max(trial.intermediate_values)] for trial in trials]
    colours = ["C0" if trial.state.name == "COMPLETE" else "0.7" for trial in trials]
    figure = Figure(figsize=(3.2 * (1 + len(names)), 3), layout="constrained")
    panels = figure.subplots(1, 1 + len(names), sharey=True)
    panels[0].scatter([trial.number for trial in trials], values, c=colours, s=12)
    panels[0].set(title="validation by trial (grey: pruned)", xlabel="trial")
    for panel, name in zip(panels[1:], names, strict=True):
        panel.scatter([trial.params[name] for trial in trials], values, c=colours, s=12)
        if getattr(trials[0].distributions[name], "log", False):
            panel.set_xscale("log")
        panel.set(xlabel=name)
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110)
    replace(path, content.getvalue())
