"""A run's folder holds it as data."""

import builtins
import json
import zipfile
from itertools import pairwise

import pytest

from quickstudy.errors import ModelError, SettingError
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import open_run
from quickstudy.runs.settings import complete


def trained(folder, **settings):
    experiment = Experiment(complete(settings))
    return experiment, list(experiment.train(folder))


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_metrics_are_a_line_a_step(tmp_path, small):
    _, progress = trained(tmp_path, **small | {"steps": 4, "validate_every": 2})
    lines = metrics(tmp_path)
    assert [line["step"] for line in lines] == [1, 2, 3, 4]
    assert [line["loss"] for line in lines] == [p.loss for p in progress]
    assert ["validation" in line for line in lines] == [False, True, False, True]
    assert lines[1]["validation"]["n_tasks"] == 2
    assert all(a["lr"] > b["lr"] > 0 and a["seconds"] <= b["seconds"] for a, b in pairwise(lines))


def test_a_run_says_with_what_it_was_made(tmp_path, small):
    trained(tmp_path, **small)
    record = json.loads((tmp_path / "run.json").read_text())
    assert record["settings"]["width"] == 4
    assert {"command", "versions", "python", "threads", "time"} <= set(record)
    assert json.loads((tmp_path / "config.json").read_text())["images"] == {"channels": 1, "size": 28, "ink": True}


def test_a_run_folder_is_data(tmp_path, small):
    trained(tmp_path, **small | {"tensorboard": True})
    for path in tmp_path.rglob("*"):
        assert path.is_dir() or not zipfile.is_zipfile(path), "torch.save writes zip files that hold pickles"
        assert path.suffix in ("", ".json", ".jsonl", ".safetensors") or "tfevents" in path.name


def test_tensorboard_gets_event_files(tmp_path, small):
    trained(tmp_path, **small | {"tensorboard": True})
    assert list((tmp_path / "tensorboard").glob("events.out.tfevents.*"))


def test_a_missing_extra_is_one_line_and_nothing_is_written(tmp_path, small, monkeypatch):
    found = builtins.__import__

    def without(name, *args):
        if "tensorboard" in name:
            raise ImportError(name)
        return found(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError, match=r"pip install 'quickstudy\[tensorboard\]'"):
        trained(tmp_path / "run", **small | {"tensorboard": True})
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (None, "no run in .*run.json is missing"),
        ("{", "cannot be read"),
        ("[]", "cannot be read"),
        ("{}", "cannot be read"),
        ('{"settings": {"steps": 0}}', "steps = 0"),
        ('{"settings": {"stepz": 1}}', "did you mean 'steps'"),
    ],
)
def test_a_folder_that_is_no_run_is_named(tmp_path, content, says):
    if content is not None:
        (tmp_path / "run.json").write_text(content)
    with pytest.raises(ModelError, match=says) as caught:
        open_run(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)
