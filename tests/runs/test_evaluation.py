"""A run is evaluated from Python as by the command line."""

import json

import pytest

from quickstudy.errors import DataError, SettingError
from quickstudy.runs.evaluation import evaluate_challenge, evaluate_run


def test_python_gives_the_record_and_the_line_of_the_command(cli, run):
    score = evaluate_run(run, 10, n_shot=2, views=2)
    arguments = "evaluate", run, "--n-tasks", 10, "--n-shot", 2, "--views", 2
    record = json.loads(cli(*arguments, "--json").out)
    timed = {"seconds_per_adaptation", "evaluation"}
    assert {k: v for k, v in score.record.items() if k not in timed} == {
        k: v for k, v in record.items() if k not in timed
    }
    assert str(score).partition("chance")[0] == cli(*arguments).out.partition("chance")[0]
    assert score.evaluation.mean == score.record["mean"]


def test_a_name_of_the_package_is_a_run():
    record = evaluate_run("glyphs-proto", 2, data="digits").record
    assert record["training"]["settings"]["glyph_classes"] == 20000
    assert record["training"]["seconds"] is None


def test_what_cannot_be_is_refused(run, tmp_path):
    with pytest.raises(SettingError, match="did you mean 'test'"):
        evaluate_run(run, split="tests")
    with pytest.raises(SettingError, match="unknown challenge"):
        evaluate_challenge(run, "leak")
    with pytest.raises(DataError, match=r"no all_runs.zip"):
        evaluate_challenge(run, data_root=tmp_path)
