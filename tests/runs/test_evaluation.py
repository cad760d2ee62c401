"""A run is evaluated from Python as by the command line."""

import json

import pytest

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.tables import Table
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.evaluation import evaluate_challenge, evaluate_run
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import Run
from quickstudy.runs.settings import complete
from quickstudy.training.evaluation import evaluate


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


def _stones(path, columns, shift=0.0, kinds=range(20)):
    """Write rows of 20 kinds, by the columns that are asked for."""
    values = {"width": lambda c, i: c + i / 9 + shift, "depth": lambda c, i: -c, "colour": lambda c, i: "rgb"[c % 3]}
    lines = [",".join([*(str(values[name](c, i)) for name in columns), f"kind{c}"]) for c in kinds for i in range(8)]
    path.write_text("\n".join([",".join([*columns, "label"]), *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def by_rows(tmp_path_factory):
    place = tmp_path_factory.mktemp("rows")
    given = {"data": "table", "data_root": _stones(place / "all.csv", ["width", "depth", "colour"])}
    small = {"n_way": 2, "n_query": 2, "train_way": 3, "train_query": 2, "steps": 3, "validation_tasks": 2}
    for _ in Experiment(complete({**given, **small})).train(place / "run"):
        pass
    return place / "run"


def test_another_table_is_encoded_by_the_runs_own_columns_and_means(by_rows, tmp_path, monkeypatch):
    """Shifted by 100 deviations, and its columns in another order: the run's means stay, the order is the run's."""
    seen = []
    encode = Table.encode
    monkeypatch.setattr(Table, "encode", lambda self, items: (seen.append((self, encode(self, items))), seen[-1][1])[1])
    other = _stones(tmp_path / "other.csv", ["colour", "depth", "width"], shift=1000.0)
    evaluate_run(by_rows, n_tasks=2, data_root=other)
    ((table, x),) = seen
    assert table == ModelFolder(by_rows).inputs
    assert x[:, 0].min() == 10  # cut off: a table fitted anew would have a mean of 0
    assert list(table.numbers) == ["width", "depth"]


def test_a_table_without_the_runs_columns_is_refused_by_name(by_rows, tmp_path):
    other = _stones(tmp_path / "other.csv", ["width", "depth"])
    with pytest.raises(DataError, match=r"other\.csv row 1 has no column 'colour', which others have; add it"):
        evaluate_run(by_rows, n_tasks=2, data_root=other)


def test_unbalanced_queries_are_said_and_those_of_the_episodes(run, sinusoid):
    score = evaluate_run(run, 10, unbalanced=True)
    assert "inductive, unbalanced queries (chance" in str(score)
    trained = ModelFolder(run).learner
    tasks = Experiment(Run(run).settings).test_tasks(unbalanced=2.0)
    assert tasks.unbalanced == 2.0
    assert evaluate(trained, tasks, n_tasks=10).values == score.evaluation.values
    with pytest.raises(SettingError, match="one_to_one needs classes that occur equally often"):
        evaluate_run(run, 10, unbalanced=True, one_to_one=True)
    with pytest.raises(SettingError, match="unbalanced queries need classes, but sinusoid has none"):
        evaluate_run(sinusoid, 10, unbalanced=True)
