"""Runs are listed with what differs and what came of them, and drawn."""

import builtins
import json
import shutil

import pytest
from PIL import Image

from quickstudy.errors import DataError, SettingError
from quickstudy.runs.evaluation import evaluate_run
from quickstudy.runs.overview import draw_runs, find_runs, list_runs
from quickstudy.runs.run import Run
from quickstudy.runs.settings import complete
from quickstudy.runs.train import train_run


@pytest.fixture
def two(small, tmp_path):
    """A folder of two runs that differ in width and seed, one below another folder."""
    place = tmp_path / "runs"
    train_run(complete(small), place / "a")
    train_run(complete({**small, "width": 5, "seed": 3, "steps": 4}), place / "deep" / "b")
    return place


def test_what_differs_is_listed_beside_the_result(two):
    score = evaluate_run(two / "a", 3)
    a, b = list_runs(two)
    assert (a["run"], b["run"]) == (str(two / "a"), str(two / "deep" / "b"))
    assert (a["settings"], b["settings"]) == ({"seed": 0, "width": 4}, {"seed": 3, "width": 5})
    assert (a["step"], a["steps"], b["step"], b["steps"]) == (3, 3, 4, 4)
    assert a["validation"] == Run(two / "a").validation
    assert a["seconds"] > 0
    [evaluation] = a["evaluations"]
    assert evaluation["mean"] == score.evaluation.mean
    assert b["evaluations"] == []
    assert json.loads(json.dumps([a, b])) == [a, b]


def test_a_run_alone_is_described_by_what_it_learned(two):
    [row] = list_runs(two / "a")
    assert row["settings"] == {"algorithm": "prototypical", "data": "folders", "n_way": 3, "n_shot": 1}


def test_a_run_that_cannot_be_read_is_listed_with_the_reason(two):
    (two / "a" / "run.json").write_text("{")
    broken, sound = list_runs(two)
    assert "cannot be read" in broken["fault"]
    assert sound["step"] == 4


def test_a_folder_without_runs_is_named(tmp_path):
    with pytest.raises(DataError, match=r"no run in .*; make one by `quickstudy train`"):
        find_runs(tmp_path)


def test_runs_are_drawn_on_common_axes(two, tmp_path):
    draw_runs(find_runs(two), tmp_path / "out.png")
    with Image.open(tmp_path / "out.png") as image:
        assert image.size == (1100, 440)
        both = image.convert("RGB").getcolors(1 << 20)
    draw_runs(find_runs(two / "a"), tmp_path / "one.png")
    with Image.open(tmp_path / "one.png") as image:
        one = image.convert("RGB").getcolors(1 << 20)
    orange = (255, 127, 14)  # of the second run
    assert [orange in {colour for _, colour in colours} for colours in (both, one)] == [True, False]


def test_a_run_without_steps_is_not_drawn(two, tmp_path):
    (two / "a" / "metrics.jsonl").unlink()
    with pytest.raises(DataError, match="no step is recorded"):
        draw_runs([Run(two / "a")], tmp_path / "out.png")
    assert not (tmp_path / "out.png").exists()


def test_a_missing_extra_is_one_line(two, tmp_path, monkeypatch):
    real = builtins.__import__

    def without(name, *args):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return real(name, *args)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(SettingError, match=r"pip install 'quickstudy\[plot\]'"):
        draw_runs(find_runs(two), tmp_path / "out.png")


def test_the_command_prints_a_table_or_json(two, cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    evaluate_run(two / "a", 3)
    shutil.copytree(two / "a", two / "broken")
    (two / "broken" / "run.json").write_text("[]")
    code, out, err = cli("runs", "--plot", "out.png")
    assert (code, err) == (0, "")
    for word in ("runs/a", "runs/deep/b", "seed", "width", "validation", "test", "%", "cannot be read"):
        assert word in out
    assert (tmp_path / "out.png").exists()
    code, out, err = cli("runs", "runs", "--json")
    assert json.loads(out) == list_runs("runs")


def test_the_command_says_where_it_looked(refused):
    assert "no run in 'runs'; make one by `quickstudy train`" in refused("runs")
