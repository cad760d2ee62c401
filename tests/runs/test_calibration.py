"""Calibration is saved in a run or in a copy of it, whole or not at all; what comes with the package stays as it is."""

import errno
import json
import os
import shutil
from pathlib import Path

import pytest
import torch

import quickstudy as qs
import quickstudy.runs.run
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.images import Images
from quickstudy.models import folder
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.run import Run
from quickstudy.tasks import glyphs


@pytest.fixture
def mine(run, tmp_path):
    """A run that may be written to."""
    shutil.copytree(run, tmp_path / "run")
    return tmp_path / "run"


def contents(place: Path) -> dict[str, bytes]:
    return {str(path.relative_to(place)): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_a_run_is_calibrated_in_its_folder(mine):
    result = qs.calibrate(mine, n_tasks=4)
    assert ModelFolder(mine).config["confidence"] == json.loads(json.dumps(vars(result.confidence)))
    assert (result.confidence.n_way, result.confidence.n_shot, result.n_tasks) == (3, 1, 2)
    assert qs.doctor(mine).sound


def test_tasks_without_a_wrong_answer_show_a_limit_only(mine):
    result = qs.calibrate(mine, n_tasks=4)
    assert (result.limit is None) == (result.accuracy < 1)
    assert result._replace(accuracy=1.0, n_answers=300).limit == pytest.approx(0.01)


def test_training_characters_are_not_drawn_to_calibrate(monkeypatch, tmp_path):
    numbers: list[int] = []
    draw = glyphs.draw_glyphs

    def counted(classes, *arguments, **named):
        numbers.append(len(classes))
        return draw(classes, *arguments, **named)

    monkeypatch.setattr(glyphs, "draw_glyphs", counted)
    qs.calibrate("glyphs-proto", n_tasks=2, out=tmp_path / "copy")
    assert numbers == [1, 100, 200]
    assert (tmp_path / "copy" / "config.json").exists()


def test_tasks_are_like_those_of_a_classifier(mine, tmp_path):
    data = qs.ClassDataset.from_labels(torch.rand(5, 1, 28, 28), ["a", "a", "a", "b", "b"])
    qs.Classifier(qs.load(mine), Images(), data).save(tmp_path / "few")
    confidence = qs.calibrate(mine, like=tmp_path / "few", n_tasks=4).confidence
    assert (confidence.n_way, confidence.n_shot) == (2, 2)
    with pytest.raises(SettingError, match="give one of them"):
        qs.calibrate(mine, 5, like=tmp_path / "few")


def test_a_copy_is_calibrated_and_the_run_stays_as_it_was(mine, tmp_path):
    before = contents(mine)
    qs.calibrate(mine, n_way=2, n_shot=3, n_tasks=4, out=tmp_path / "copy")
    assert contents(mine) == before
    assert ModelFolder(tmp_path / "copy").config["confidence"]["n_shot"] == 3
    assert qs.doctor(tmp_path / "copy").sound
    original, copy = Run(mine), Run(tmp_path / "copy")
    assert (copy.settings, copy.seconds, copy.last_step) == (original.settings, original.seconds, original.last_step)


@pytest.fixture
def shipped(run, tmp_path_factory, monkeypatch):
    """The run as a model that comes with the package, by the name ``ours``."""
    place = tmp_path_factory.mktemp("shipped")
    shutil.copytree(run, place / "ours")
    for module in (folder, quickstudy.runs.run):
        monkeypatch.setattr(module, "SHIPPED", place)
    return place


def test_a_model_of_the_package_is_not_changed_and_leaves_nothing_in_the_current_folder(refused, shipped):
    before = contents(shipped)
    err = refused("calibrate", "ours", "--n-tasks", 2)
    assert "'ours' comes with quickstudy and is never changed; --out FOLDER writes a calibrated copy" in err
    assert "never changed" in refused("calibrate", shipped / "ours", "--n-tasks", 2)
    assert contents(shipped) == before


def test_a_model_of_the_package_is_calibrated_in_a_copy(cli, shipped, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    before = contents(shipped)
    code, out, err = cli("calibrate", "ours", "--n-tasks", 2, "-o", "mine")
    assert (code, err) == (0, "")
    assert "saved in mine" in out
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert list(ModelFolder("mine").faults()) == []
    assert contents(shipped) == before
    assert "confidence" in ModelFolder("mine").config


def test_glyphs_proto_is_a_model_of_the_package(refused):
    assert "'glyphs-proto' comes with quickstudy and is never changed" in refused("calibrate", "glyphs-proto")


@pytest.mark.parametrize("step", ["replace", "write_seal"])
@pytest.mark.parametrize("copied", [False, True])
def test_a_fault_on_the_way_leaves_nothing_half_written(mine, tmp_path, monkeypatch, step, copied):
    def fails(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    before = contents(tmp_path)
    monkeypatch.setattr(folder, step, fails)
    with pytest.raises(OSError, match="No space left"):
        qs.calibrate(mine, n_tasks=4, out=tmp_path / "copy" if copied else None)
    assert contents(tmp_path) == before
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


def test_a_folder_that_exists_is_not_written_over(mine, tmp_path):
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "note").write_text("mine")
    with pytest.raises(SettingError, match="exists already; choose another folder"):
        qs.calibrate(mine, n_tasks=4, out=str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "note").read_text() == "mine"


def test_what_has_no_probabilities_is_refused(sinusoid, tmp_path):
    with pytest.raises(SettingError, match="learns functions"):
        qs.calibrate(sinusoid)
    with pytest.raises(ModelError, match=r"no run in .*run.json is missing"):
        qs.calibrate(tmp_path)
