"""A run is trained from its settings in one call, and continued, from Python as by the command line."""

import re
import shutil
import threading

import pytest

from quickstudy.errors import SettingError
from quickstudy.runs import train
from quickstudy.runs.doctor import doctor
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import Run
from quickstudy.runs.settings import complete
from quickstudy.runs.train import HERE, default_folder, resumed, train_run


def test_a_run_is_trained_in_a_folder_of_its_name(small, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    settings = complete(small)
    folder = train_run(settings)
    assert folder == default_folder(settings)
    assert Run(folder).settings == settings
    assert Run(folder).last_step == settings.steps


def test_a_run_is_trained_in_any_thread(small, tmp_path):
    folders = []
    thread = threading.Thread(target=lambda: folders.append(train_run(complete(small), tmp_path / "run")))
    thread.start()
    thread.join()
    assert folders == [tmp_path / "run"]


def test_only_settings_of_the_machine_change_where_a_run_is_continued(run):
    assert resumed(run, {"threads": 1}).threads == 1
    assert set(HERE) == {"workers", "threads", "device", "worker_timeout", "minutes"}
    with pytest.raises(SettingError, match="--outer-lr cannot be combined with --resume"):
        resumed(run, {"outer_lr": 0.1})


def test_a_model_of_the_package_is_not_continued(refused):
    err = refused("train", "--resume", "glyphs-proto")
    assert "'glyphs-proto' comes with quickstudy and is never changed; --init starts" in err


def test_several_workers_are_for_the_command_line(small, tmp_path):
    with pytest.raises(SettingError, match="quickstudy train --workers 2"):
        train_run(complete({**small, "workers": 2, "tasks_per_step": 2}), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_run_that_is_done_is_not_trained_again(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    assert train_run(resumed(tmp_path / "run", {}), tmp_path / "run", resume=True) == tmp_path / "run"
    assert Run(tmp_path / "run").last_step == Run(run).last_step


def same_weights(a, b):
    return (a / "model.safetensors").read_bytes() == (b / "model.safetensors").read_bytes()


@pytest.fixture
def longer(small):
    """Settings whose best validation is seldom the last one, with an outer rate that does not depend on the steps."""
    return {**small, "schedule": "constant", "validation_tasks": 5, "outer_lr": 0.03}


@pytest.mark.slow
@pytest.mark.parametrize("schedule", [{"schedule": "constant"}, {"schedule": "halving", "halve_every": 4}])
@pytest.mark.parametrize("validate_every", [2, 5, 500])
def test_a_finished_run_trained_longer_is_the_longer_run(longer, schedule, validate_every, tmp_path, recwarn):
    given = {**longer, **schedule, "validate_every": validate_every}
    at_once = train_run(complete({**given, "steps": 12}), tmp_path / "at once")
    run = train_run(complete({**given, "steps": 7}), tmp_path / "run")
    train_run(resumed(run, {"steps": 12}), run, resume=True)
    assert same_weights(run, at_once)
    assert not [warning for warning in recwarn if "depends on the number" in str(warning.message)]
    steps = [{k: v for k, v in line.items() if k != "seconds"} for line in Run(run).metrics(whole=True)]
    for line in steps:
        line.get("validation", {}).pop("seconds_per_adaptation", None)
    expected = [{k: v for k, v in line.items() if k != "seconds"} for line in Run(at_once).metrics(whole=True)]
    for line in expected:
        line.get("validation", {}).pop("seconds_per_adaptation", None)
    assert steps == expected
    assert doctor(run).sound


@pytest.mark.slow
@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_schedule_that_depends_on_the_steps_follows_the_new_number_and_says_so(longer, schedule, tmp_path):
    given = {**longer, "schedule": schedule}
    at_once = train_run(complete({**given, "steps": 12}), tmp_path / "at once")
    run = train_run(complete({**given, "steps": 7}), tmp_path / "run")
    with pytest.warns(UserWarning, match=rf"the outer rate \({schedule}\) .* 7 steps until step 7 and follows 12"):
        train_run(resumed(run, {"steps": 12}), run, resume=True)
    rates, expected = ([line["lr"] for line in Run(each).metrics()] for each in (run, at_once))
    assert rates[7:] == expected[7:]
    assert rates[:7] != expected[:7]


def test_a_run_records_how_it_was_trained_longer(longer, tmp_path):
    run = train_run(complete({**longer, "steps": 4}), tmp_path / "run")
    made = Run(run).record
    train_run(resumed(run, {"steps": 9}), run, resume=True)
    record = Run(run).record
    assert record["settings"] == {**made["settings"], "steps": 9}
    [extension] = record["extensions"]
    assert (extension["step"], extension["steps_before"]) == (4, 4)
    assert {"command", "versions", "time"} <= set(extension)
    assert record["time"] == made["time"]


def test_fewer_steps_are_refused_and_the_same_number_changes_nothing(run, tmp_path):
    with pytest.raises(SettingError, match=r"--steps 4: the run in .* has 30 steps; give more"):
        resumed(run, {"steps": 4})
    shutil.copytree(run, tmp_path / "run")
    train_run(resumed(run, {"steps": 30}), tmp_path / "run", resume=True)
    assert "extensions" not in Run(tmp_path / "run").record


def test_a_run_that_ended_for_lack_of_improvement_is_not_trained_longer(longer, tmp_path):
    given = {**longer, "validate_every": 1, "patience": 1, "steps": 50}
    run = train_run(complete(given), tmp_path / "run")
    before = (run / "run.json").read_bytes()
    assert Run(run).last_step < 50
    with pytest.raises(SettingError, match="after patience = 1 validations without improvement"):
        train_run(resumed(run, {"steps": 60}), run, resume=True)
    assert (run / "run.json").read_bytes() == before


def test_minutes_fit_the_steps_and_the_run_is_that_of_its_settings(longer, tmp_path):
    given = {**longer, "schedule": "cosine", "steps": 10**6}
    run = train_run(complete({**given, "minutes": 0.02}), tmp_path / "run")
    fitted = Run(run).settings
    assert 1 <= Run(run).last_step <= fitted.steps < 10**6
    train_run(resumed(run, {}), run, resume=True)
    assert Run(run).last_step == fitted.steps
    again = train_run(complete({**fitted.model_dump(), "minutes": None}), tmp_path / "again")
    assert same_weights(run, again)


@pytest.mark.slow
def test_minutes_end_a_run_after_a_step_and_the_resumed_run_is_the_uninterrupted_one(longer, tmp_path, capsys):
    given = {**longer, "schedule": "cosine", "steps": 400, "validate_every": 150}
    whole = train_run(complete(given), tmp_path / "whole")
    settings = complete(given)
    progress = Experiment(settings.model_copy(update={"minutes": 1e-9})).train(tmp_path / "run")
    [only] = progress
    assert (only.step, only.last, only.validation.n_tasks) == (1, True, 5)
    run = tmp_path / "run"
    assert Run(run).result["step"] == 1
    train_run(resumed(run, {"minutes": 1e-9}), run, resume=True)
    assert Run(run).last_step == 2
    assert "ended after 1e-09 minutes at step 2 of 400, and saved; continue by" in capsys.readouterr().err
    assert doctor(run).sound
    train_run(resumed(run, {}), run, resume=True)
    assert same_weights(run, whole)


@pytest.mark.slow
@pytest.mark.parametrize("algorithm", ["prototypical", "simple-shot"])
def test_a_resumed_run_on_augmented_photographs_is_the_uninterrupted_one(small, tmp_path, algorithm):
    shape = {"train_way": 4, "train_query": 2} if algorithm == "prototypical" else {"batch_size": 8}
    sizes = {name: value for name, value in small.items() if not name.startswith("train_")} | shape
    given = {**sizes, "algorithm": algorithm, "channels": 3, "ink": False, "augment": True, "warp": True, "steps": 4}
    whole = train_run(complete(given), tmp_path / "whole")
    assert len(list(Experiment(complete(given).model_copy({"minutes": 1e-9})).train(tmp_path / "run"))) == 1
    run = train_run(resumed(tmp_path / "run", {}), tmp_path / "run", resume=True)
    assert Run(run).last_step == 4
    assert same_weights(run, whole)
    plain = train_run(complete({**given, "augment": False}), tmp_path / "plain")
    assert not same_weights(plain, whole)


def test_too_few_minutes_for_one_step_are_refused_and_nothing_is_written(longer, tmp_path):
    with pytest.raises(SettingError, match="1e-09 minutes are too few for one step"):
        train_run(complete({**longer, "minutes": 1e-9}), tmp_path / "run")
    assert not list(tmp_path.iterdir())


def test_a_long_training_is_told_after_its_first_steps(longer, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(train, "_LONG", 0.0)
    settings = complete({**longer, "algorithm": "maml", "tasks_per_step": 2})
    train_run(settings, tmp_path / "run")
    [line] = capsys.readouterr().err.splitlines()
    assert re.fullmatch(
        r"quickstudy: a step takes about [\d.e-]+ s; 1 steps need about [\d.e-]+ s; "
        r"--minutes, (--workers, )?--first-order and --steps shorten it",
        line,
    )
    monkeypatch.setattr(train, "_LONG", 600.0)
    train_run(settings, tmp_path / "short")
    assert capsys.readouterr().err == ""
