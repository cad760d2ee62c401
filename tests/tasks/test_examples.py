"""Example files are what people bring: they are learned as they are, and nobody's files are written over."""

import json

import pytest

import quickstudy as qs
from quickstudy.errors import SettingError
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.settings import complete
from quickstudy.tasks.examples import examples


@pytest.fixture
def place(tmp_path):
    examples(tmp_path)
    return tmp_path


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_every_file_is_listed(tmp_path):
    rows = examples(tmp_path / "examples")
    assert {row["path"] for row in rows} == {str(path) for path in (tmp_path / "examples").iterdir()}


def test_pictures_are_learned(place):
    classifier = qs.adapt(place / "pictures")
    assert classifier.labels == ("four", "seven", "six", "three", "zero")
    assert classifier.predict([place / "new1.png", place / "new2.png"]) == ["six", "seven"]


def test_sentences_are_learned(place):
    assert qs.adapt(place / "sentences.csv").predict([place / "new-sentences.csv"]) == ["parcel", "refund", "card"]


def test_rows_are_learned(place):
    expected = ["stone 21", "stone 21", "stone 26", "stone 26"]
    assert qs.adapt(place / "few-rows.csv").predict([place / "new-rows.csv"]) == expected


@pytest.mark.parametrize("data", ["text", "table"])
def test_there_are_labels_enough_to_train_on(place, data):
    file = place / {"text": "sentences.csv", "table": "rows.csv"}[data]
    given = {"data": data, "data_root": file, "n_way": 2, "n_query": 2, "steps": 1, "validation_tasks": 2}
    assert len(list(Experiment(complete(given)).train())) == 1


def test_writing_again_changes_nothing(place):
    before = contents(place)
    examples(place)
    assert contents(place) == before


def test_files_of_others_are_never_written_over(tmp_path):
    (tmp_path / "new1.png").write_bytes(b"mine")
    with pytest.raises(SettingError, match=r"new1\.png' exists already and is not an example"):
        examples(tmp_path)
    assert contents(tmp_path) == {tmp_path / "new1.png": b"mine"}


def test_the_command_lists_what_it_wrote(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = cli("examples")
    assert (code, err) == (0, "")
    assert "examples/pictures" in out
    code, out, err = cli("examples", "other", "--json")
    assert json.loads(out) == examples("other")
