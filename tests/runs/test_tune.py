"""Search of settings: continued after any end, shared by processes, and its result can be trained."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import tomllib
from collections import Counter

import optuna
import pytest

import quickstudy as qs
from quickstudy.errors import DataError, SettingError
from quickstudy.runs.run import Run
from quickstudy.runs.settings import load_settings
from quickstudy.runs.tune import _toml

FLAGS = {
    "algorithm": "maml", "data": "sinusoid", "steps": 4, "validate_every": 2, "validation_tasks": 2,
    "tasks_per_step": 2,
}  # fmt: skip
SPACE = ["inner_lr=1e-3..1e-1"]


def study(folder):
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "study.log")))
    return optuna.load_study(study_name=folder.name, storage=storage)


def test_each_trial_is_a_run_and_the_best_can_be_trained(tmp_path):
    out = tmp_path / "study"
    tuned = qs.tune([*SPACE, "inner_steps=1|2"], out, flags=FLAGS, trials=5)
    assert sum(tuned.trials.values()) == 5
    best = study(out).best_trial
    run = Run(out / f"trial-{best.number:04d}")
    assert run.validation["mean"] == tuned.validation == min(t.value for t in study(out).trials if t.value is not None)
    assert {name: getattr(run.settings, name) for name in tuned.settings} == tuned.settings
    assert tomllib.loads(tuned.file.read_text()) == FLAGS | tuned.settings
    assert load_settings(tuned.file, environment={}) == run.settings
    assert (out / "study.png").read_bytes().startswith(b"\x89PNG")


def test_the_first_trial_has_the_values_that_are_known_and_lie_in_the_space(tmp_path):
    """So the best is never worse than what was there; test_steps is not preset, and the outer rate lies outside."""
    space = [*SPACE, "inner_steps=2|3", "outer_lr=1e-5..1e-4", "test_steps=1..4"]
    out = tmp_path / "study"
    qs.tune(space, out, flags=FLAGS | {"inner_lr": 0.02, "inner_steps": 3, "outer_lr": 0.5}, trials=1)
    [trial] = study(out).trials
    assert (trial.params["inner_lr"], trial.params["inner_steps"]) == (0.02, 3)
    assert 1e-5 <= trial.params["outer_lr"] <= 1e-4
    assert 1 <= trial.params["test_steps"] <= 4


@pytest.mark.parametrize(
    "text", ["inner_lr=1e-3..1", "inner_lr=0.1|0.4|0.8", "first_order=true|false", "pool=true|false"]
)
def test_the_first_trial_has_what_is_preset_by_learner_and_net(tmp_path, text):
    flags = {"algorithm": "maml", "glyph_classes": 60, "steps": 1, "tasks_per_step": 1, "width": 4}
    tuned = qs.tune([text], tmp_path / "s", flags=flags | {"validation_tasks": 2}, trials=1)
    assert tuned.settings in ({"inner_lr": 0.4}, {"first_order": "false"}, {"pool": "false"})


def test_the_first_trial_has_a_switch_that_is_given(tmp_path):
    flags = FLAGS | {"first_order": True}
    assert qs.tune(["first_order=false|true"], tmp_path / "s", flags=flags, trials=1).settings == {
        "first_order": "true"
    }


def test_runs_of_another_study_are_never_taken_for_trials(tmp_path):
    qs.tune(SPACE, tmp_path / "a", flags=FLAGS, trials=1)
    shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "a" / "study.log").unlink()
    for name in "ab":
        with pytest.raises(SettingError, match="trial-0000' is a run of another study; choose another --out"):
            qs.tune(["inner_lr=0.7|0.8"], tmp_path / name, flags=FLAGS, trials=1)


def test_a_trial_that_ends_by_its_own_minutes_is_complete(tmp_path):
    flags = FLAGS | {"steps": 100_000, "validate_every": 100_000, "minutes": 0.002}
    assert qs.tune(SPACE, tmp_path / "s", flags=flags, trials=1, budget=0.0001).trials["complete"] == 1


def test_settings_come_from_the_file_the_environment_and_flags_and_messages_say_which(tmp_path, monkeypatch):
    file = tmp_path / "maml.toml"
    file.write_text("inner_lrr = 1")
    with pytest.raises(SettingError, match=r"^\S*maml\.toml: unknown setting 'inner_lrr'"):
        qs.tune(SPACE, tmp_path / "s", config=file, trials=1)
    file.write_text("inner_steps = 2")
    monkeypatch.setenv("QUICKSTUDY_INNER_STEPS", "3")
    qs.tune(SPACE, tmp_path / "s", config=file, flags=FLAGS, trials=1)
    assert Run(tmp_path / "s" / "trial-0000").settings.inner_steps == 3


@pytest.mark.parametrize("space", [["first_order=0..1"], SPACE], ids=["a range of a switch", "a wrong argument"])
def test_what_no_trial_could_take_is_refused_before_the_first(tmp_path, space):
    flags = FLAGS | ({"arguments": {"nonsense": 1}} if space is SPACE else {})
    with pytest.raises(SettingError):
        qs.tune(space, tmp_path / "s", flags=flags, trials=1)
    assert not (tmp_path / "s").exists()


def test_a_damaged_journal_is_one_line(tmp_path):
    qs.tune(SPACE, tmp_path / "s", flags=FLAGS, trials=1)
    (tmp_path / "s" / "study.log").write_text('{"op_code": 0, "nonsense\n' * 3)
    with pytest.raises(DataError, match=r"study.log' is damaged: .*; choose another --out"):
        qs.tune(SPACE, tmp_path / "s", flags=FLAGS, trials=2)


def test_the_same_call_goes_on_and_gives_the_same_trials(tmp_path):
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    qs.tune(SPACE, whole, flags=FLAGS, trials=4)
    qs.tune(SPACE, parts, flags=FLAGS, trials=2)
    qs.tune(SPACE, parts, flags=FLAGS, trials=4)
    assert [t.params for t in study(parts).trials] == [t.params for t in study(whole).trials]
    assert qs.tune(SPACE, parts, flags=FLAGS, trials=4).trials["complete"] == len(
        [t for t in study(whole).trials if t.state.name == "COMPLETE"]
    )


@pytest.mark.slow
def test_a_trial_that_falls_behind_ends_early(tmp_path):
    """With the same seed, only the rate differs; one that changes nothing is worse than one that learns."""
    flags = FLAGS | {"steps": 30, "validate_every": 3, "validation_tasks": 20, "outer_lr": 0.01}
    out = tmp_path / "study"
    tuned = qs.tune(["inner_lr=1e-7|1e-6|1e-5|0.02"], out, flags=flags, trials=10)
    assert tuned.trials["pruned"] > 0
    steps = {t.state.name: Run(out / f"trial-{t.number:04d}").last_step for t in study(out).trials}
    assert steps["PRUNED"] < steps["COMPLETE"] == 30


def test_an_interrupted_trial_is_continued(tmp_path):
    out = tmp_path / "study"
    with pytest.raises(DataError, match="no trial of the study"):
        qs.tune(SPACE, out, flags=FLAGS, trials=2, budget=0.0001)
    [left] = study(out).trials
    folder = out / "trial-0000"
    assert left.state.name == "RUNNING"
    assert Run(folder).last_step == 2
    qs.tune(SPACE, out, flags=FLAGS, trials=2)
    assert Counter(t.state.name for t in study(out).trials)["FAIL"] == 1
    continued = study(out).trials[1]
    assert continued.params == left.params
    assert continued.user_attrs["folder"][1] == str(folder)
    assert Run(folder).last_step == 4


def test_another_space_is_refused(tmp_path):
    qs.tune(SPACE, tmp_path / "s", flags=FLAGS, trials=1)
    with pytest.raises(SettingError, match="another space or settings"):
        qs.tune(["inner_lr=1e-3..1"], tmp_path / "s", flags=FLAGS, trials=1)
    with pytest.raises(SettingError, match="no effect"):
        qs.tune(["halve_every=5..9"], tmp_path / "t", flags=FLAGS, trials=1)
    assert not (tmp_path / "t").exists()


def test_a_run_that_cannot_be_trained_counts_as_pruned(tmp_path):
    tuned = qs.tune(["inner_lr=0.01|1e200"], tmp_path / "s", flags=FLAGS, trials=6)
    assert tuned.settings == {"inner_lr": 0.01}
    assert {t.params["inner_lr"] for t in study(tmp_path / "s").trials if t.state.name == "PRUNED"} == {1e200}


def test_the_command(cli, tmp_path):
    flags = [f"--{k.replace('_', '-')}={v}" for k, v in FLAGS.items()]
    result = cli("tune", "--space", SPACE[0], "--trials", 1, "--out", tmp_path / "s", "--json", *flags)
    assert json.loads(result.out)["trials"] == {"complete": 1, "pruned": 0}


COMMAND = [sys.executable, "-m", "quickstudy", "tune", "--space", SPACE[0], "--algorithm", "maml", "--data", "sinusoid"]
SMALL = ["--steps", "20", "--validate-every", "5", "--validation-tasks", "5"]


@pytest.mark.slow
def test_two_processes_share_a_study(tmp_path):
    command = [*COMMAND, *SMALL, "--trials", "12", "--out", str(tmp_path / "s")]
    processes = [subprocess.Popen(command, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    trials = study(tmp_path / "s").trials
    assert len(trials) == 12
    assert len({t.user_attrs["folder"][1] for t in trials}) == len({t.params["inner_lr"] for t in trials}) == 12
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}


@pytest.mark.slow
def test_kills_lose_and_double_no_trial(tmp_path):
    """20 kills while a study runs: the trials that ended stay, and each run ends once."""
    out = tmp_path / "s"
    command = [*COMMAND, *SMALL, "--trials", "25", "--out", str(out)]
    ended: dict[str, float] = {}
    for kill in range(20):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(4 + 0.37 * kill % 2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        if (out / "study.log").exists():
            now = {t.user_attrs["folder"][1]: t.value for t in study(out).trials if t.state.name == "COMPLETE"}
            assert now.items() >= ended.items()
            ended = now
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    trials = [t for t in study(out).trials if t.state.name != "FAIL"]
    assert len(trials) == 25
    assert len({t.user_attrs["folder"][1] for t in trials}) == 25
    assert {t.state.name for t in trials} <= {"COMPLETE", "PRUNED"}


def test_a_wrong_choice_is_refused_before_the_first_trial(tmp_path):
    with pytest.raises(SettingError, match="did you mean 'resnet6'"):
        qs.tune(["net=mlp|resmet6"], tmp_path / "study", flags=FLAGS, trials=3)
    assert not (tmp_path / "study").exists()


def test_settings_that_do_not_fit_together_count_as_pruned(tmp_path):
    space = ["algorithm=maml|imaml", "first_order=true|false"]
    tuned = qs.tune(space, tmp_path / "study", flags=FLAGS, trials=4)
    assert tuned.settings["algorithm"] == "maml"
    assert tuned.trials["pruned"] >= 1


def test_a_trial_without_a_finite_validation_counts_as_pruned(tmp_path):
    flags = FLAGS | {"outer_lr": 1e6, "steps": 1}
    for _ in range(2):  # the second call finds the same study
        with pytest.raises(DataError, match="is complete"):
            qs.tune(["inner_lr=1e3..1e6"], tmp_path / "study", flags=flags, trials=2)
    assert [trial.state.name for trial in study(tmp_path / "study").trials] == ["PRUNED"] * 2


def test_the_best_settings_are_toml_for_any_value():
    settings = {"data_root": "/tmp/\U0001f600", "test_steps": None, "arguments": {"a": {"b": [1]}, "c": None}}
    expected = {"data_root": "/tmp/\U0001f600", "arguments": {"a": {"b": [1]}}}
    assert tomllib.loads(_toml(settings)) == expected


@pytest.mark.parametrize("url", ["nonsense", "nosuch://user:secret@127.0.0.1/x"])
def test_a_database_that_cannot_be_used_is_one_line_without_its_password(tmp_path, url):
    with pytest.raises(SettingError, match="database cannot be used") as error:
        qs.tune(SPACE, tmp_path / "study", flags=FLAGS, trials=1, storage=url)
    assert "secret" not in str(error.value)
    assert "\n" not in str(error.value)
