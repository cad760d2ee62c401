"""A run's folder holds it as data."""

import builtins
import json
import zipfile
from itertools import pairwise

import pytest

from quickstudy.errors import ModelError, SettingError
from quickstudy.runs.evaluation import evaluate_run
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import Run
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
    images = {"name": "images", "channels": 1, "size": 28, "ink": True}
    assert json.loads((tmp_path / "config.json").read_text())["inputs"] == images


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
        _ = Run(tmp_path).settings
    assert str(tmp_path) in str(caught.value)
    assert "\n" not in str(caught.value)


LINE = '{{"step": {step}, "loss": 1.0, "lr": 0.1, "seconds": {seconds}{more}}}\n'


@pytest.fixture
def recorded(tmp_path):
    """A run folder with the metrics of three steps, two of them validated."""

    def write(metric="accuracy", means=(0.5, 0.25), end=""):
        more = [f', "validation": {{"metric": "{metric}", "mean": {mean}}}' for mean in means]
        lines = [LINE.format(step=i + 1, seconds=i / 2, more=extra) for i, extra in enumerate([*more, ""])]
        (tmp_path / "run.json").write_text(json.dumps({"settings": {"steps": 3}, "python": "3"}))
        (tmp_path / "metrics.jsonl").write_text("".join(lines) + end)
        return Run(tmp_path)

    return write


def test_a_run_says_how_far_it_came_and_how_long_it_took(recorded):
    run = recorded()
    assert (run.last_step, run.seconds, run.settings.steps) == (3, 1.0, 3)
    assert [line["step"] for line in run.metrics()] == [1, 2, 3]
    assert run.summary() == {"settings": {"steps": 3}, "python": "3", "seconds": 1.0}


@pytest.mark.parametrize(
    ("metric", "means", "best"),
    [("accuracy", (0.5, 0.25), 0.5), ("mse", (0.5, 0.25), 0.25), ("mse", ("null", 2.0), 2.0), ("mse", (), None)],
)
def test_the_best_validation_is_the_most_accurate_or_of_the_least_error(recorded, metric, means, best):
    validation = recorded(metric, means).validation
    assert (validation and validation["mean"]) == best


@pytest.mark.parametrize("end", ['{"step": 4', '{"step": 4, "seconds": 9.0}'])
def test_a_last_line_that_was_cut_in_the_middle_is_left_out(recorded, end):
    run = recorded(end=end)
    assert (run.last_step, run.seconds, len(list(run.metrics()))) == (3, 1.0, 3)
    with pytest.raises(ModelError, match="ends in an incomplete line"):
        list(run.metrics(whole=True))


@pytest.mark.parametrize("line", ["{", "[]", "{}", '{"step": 4, "seconds": NaN}', '{"step": 1e400, "seconds": 1}'])
def test_a_damaged_line_is_named(recorded, line, tmp_path):
    run = recorded(end=f"{line}\n")
    for read in (lambda: list(run.metrics()), lambda: run.seconds, lambda: run.last_step):
        with pytest.raises(ModelError, match="cannot be read") as caught:
            read()
        assert str(tmp_path / "metrics.jsonl") in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_model_of_the_package_is_a_run_by_its_name_without_metrics():
    run = Run("glyphs-proto")
    assert run.exists()
    assert (run.settings.data, run.seconds, run.last_step, run.validation) == ("glyphs", None, 0, None)
    assert list(run.metrics()) == []
    assert run.learner.training is False
    with pytest.raises(ModelError, match="cannot be read"):
        list(run.metrics(whole=True))


def test_a_result_is_in_a_file_at_the_end_of_a_run(tmp_path, small):
    _, progress = trained(tmp_path, **small | {"steps": 4, "validate_every": 2})
    best = max((p.validation for p in progress if p.validation), key=lambda validation: validation.mean)
    result = json.loads((tmp_path / "result.json").read_text())
    assert result.pop("seconds") == pytest.approx(progress[-1].seconds, abs=0.001)
    assert result == {"validation": best.summary(), "step": 4, "steps": 4, "evaluations": []}


def test_a_run_that_is_stopped_has_no_result_yet(tmp_path, small):
    experiment = Experiment(complete(small | {"steps": 4, "save_every": 1}))
    progress = experiment.train(tmp_path)
    next(progress), next(progress)
    progress.close()
    assert not (tmp_path / "result.json").exists()
    for _ in Experiment(complete(small | {"steps": 4})).train(tmp_path, resume=True):
        assert not (tmp_path / "result.json").exists()
    assert json.loads((tmp_path / "result.json").read_text())["step"] == 4
    (tmp_path / "result.json").unlink()  # as if it had been killed before
    list(Experiment(complete(small | {"steps": 4})).train(tmp_path, resume=True))
    assert json.loads((tmp_path / "result.json").read_text())["step"] == 4


def test_evaluations_are_kept_beside_it_one_for_the_same_tasks(tmp_path, small):
    trained(tmp_path, **small)
    first, other, again = (evaluate_run(tmp_path, 4, n_way=n_way) for n_way in (3, 2, 3))
    for score in (first, other, again):
        del score.record["training"]
    assert first.record["mean"] == again.record["mean"]
    assert Run(tmp_path).evaluations == [other.record, again.record]
    trained_longer = complete({**Run(tmp_path).settings.model_dump(), "steps": 5, "schedule": "constant"})
    list(Experiment(trained_longer).train(tmp_path, resume=True))
    assert Run(tmp_path).evaluations == []  # they were of other weights


def test_a_model_of_the_package_gets_no_result():
    evaluate_run("glyphs-proto", 2, data="digits")
    assert not (Run("glyphs-proto").folder / "result.json").exists()


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"evaluations": 3}', '{"evaluations": [3]}'])
def test_a_damaged_result_is_named(tmp_path, content):
    (tmp_path / "result.json").write_text(content)
    with pytest.raises(ModelError, match=r"result\.json cannot be read"):
        _ = Run(tmp_path).evaluations


def test_a_folder_is_no_run_before_one_is_trained_there(tmp_path):
    assert not Run(tmp_path).exists()
    assert not Run("nowhere").exists()
