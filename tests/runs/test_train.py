"""A run is trained from its settings in one call, and continued, from Python as by the command line."""

import shutil
import threading

import pytest

from quickstudy.errors import SettingError
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
    assert set(HERE) == {"workers", "threads", "device", "worker_timeout"}
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
