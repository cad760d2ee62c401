"""What is examined in a folder, and what is broken there, from Python."""

import shutil

import pytest

import quickstudy as qs
from quickstudy.errors import ModelError


def test_a_sound_run_says_what_was_examined(run):
    report = qs.doctor(run)
    assert report.sound
    assert report.looked_at[:2] == ("settings", "metrics")
    assert report.looked_at[-1] == "model"
    assert all(name.startswith("step-") for name in report.looked_at[2:-1])


def test_a_model_of_the_package_is_sound_by_its_name():
    assert qs.doctor("glyphs-proto") == (("settings", "model"), ())


def test_a_run_that_was_shared_needs_no_metrics_and_one_that_was_trained_here_does(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    (tmp_path / "run" / "metrics.jsonl").unlink()
    (fault,) = qs.doctor(tmp_path / "run").faults
    assert "metrics.jsonl cannot be read" in fault
    shutil.rmtree(tmp_path / "run" / "checkpoints")
    assert qs.doctor(tmp_path / "run").sound


def test_metrics_that_end_in_the_middle_of_a_line_are_named(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    (fault,) = qs.doctor(tmp_path / "run").faults
    assert fault.startswith(f"{path} ends in an incomplete line")


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(ModelError, match="no folder 'nowhere'"):
        qs.doctor("nowhere")
