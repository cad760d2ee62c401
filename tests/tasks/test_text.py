"""Your own sentences: three sets of labels that never meet, and from there to answers by command."""

import csv
import json

import pytest
import torch

from quickstudy.errors import DataError
from quickstudy.inputs import sentences as inputs
from quickstudy.tasks.text import sentences


def stub(texts):
    return torch.tensor([[float(len(t)), float(sum(map(ord, t)) % 97)] for t in texts])


def write(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    return path


def test_ones_own_sentences_are_split_by_label(tmp_path, monkeypatch):
    monkeypatch.setattr(inputs, "sentence_encoder", lambda name: stub)
    rows = [(f"{label} {i}", label) for label in "abcdefghij" for i in range(3)]
    parts = sentences(write(tmp_path / "all.csv", rows), inputs=inputs.Sentences())
    assert [part.n_classes for part in parts] == [6, 2, 2]
    assert len({name for part in parts for name in part.names}) == 10
    with pytest.raises(DataError, match="give it as data_root"):
        sentences(None)


def test_from_sentences_to_answers_by_command(tmp_path, cli):
    pytest.importorskip("sentence_transformers")
    about = {
        "weather": ["will it rain", "is it sunny outside", "how cold is it today"],
        "food": ["book a table", "what is for dinner", "order a pizza"],
        "bank": ["what is my balance", "transfer money to my account", "pay my bill"],
        "travel": ["find me a flight", "when does the train leave", "book a hotel room"],
        "music": ["play a song", "turn up the volume", "skip this track"],
    }
    rows = [(line, label) for label, lines in about.items() for line in lines]
    table = write(tmp_path / "all.csv", rows)
    flags = [
        "--data",
        "text",
        "--n-way",
        "2",
        "--n-query",
        "2",
        "--train-way",
        "2",
        "--train-query",
        "2",
        "--steps",
        "2",
        "--validate-every",
        "2",
    ]
    flags += ["--validation-tasks", "2", "--n-shot", "1"]
    done = cli("train", *flags, "--data-root", str(table), "--out", str(tmp_path / "run"))
    # Of five labels one is for validation and one for the test: too few for two ways.
    assert done.code == 2
    assert "n_way = 2, but of 5 classes the validation split gets 1; give more classes" in done.err
    more = [(f"{line} please", f"{label} again") for line, label in rows]
    table = write(tmp_path / "more.csv", rows + more)
    done = cli("train", *flags, "--data-root", str(table), "--out", str(tmp_path / "run"))
    assert done.code == 0, done.err
    asked = write(tmp_path / "mine.csv", rows)
    assert cli("adapt", str(tmp_path / "run"), str(asked), "-o", str(tmp_path / "few")).code == 0
    said = cli("predict", str(tmp_path / "few"), "is there a storm coming", "I am hungry for pasta", "--json")
    answers = json.loads(said.out)["answers"]
    assert [(row["input"], row["label"]) for row in answers] == [
        ("is there a storm coming", "weather"),
        ("I am hungry for pasta", "food"),
    ]
    why = cli("explain", str(tmp_path / "few"), "will it rain tomorrow", "-o", str(tmp_path / "why.html"), "--json")
    lent = dict(json.loads(why.out)["parts"])
    assert max(lent, key=lent.get) == "rain"
    assert ">tomorrow</span>" in (tmp_path / "why.html").read_text()
    assert cli("doctor", str(tmp_path / "few")).code == 0
    assert cli("adapt", str(tmp_path / "run"), str(tmp_path), "-o", str(tmp_path / "no")).code == 2
