"""Sentences: files read whole or refused in a line, embeddings kept, domains that never meet."""

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.errors import DataError, SettingError
from quickstudy.tasks import text
from quickstudy.tasks.text import clinc150, embedded, read_sentences, sentence_encoder, sentences

SHARED = Path(__file__).parents[3] / "shared" / "data" / "clinc150"
shared = pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data here")
PAIRS = [("where is my card", "card"), ('play, some "music"\nnow', "music"), ("ünï ☃", "snow")]


def write(path, rows):
    if path.suffix == ".csv":
        import csv

        with path.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([("text", "label"), *rows])
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps({"text": t, "label": y, "more": 1}) + "\n" for t, y in rows))
    else:
        arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(arrow.table({"text": [t for t, _ in rows], "label": [y for _, y in rows]}), path)
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet", ".CSV"])
def test_files_of_any_kind_say_the_same(tmp_path, suffix):
    path = write(tmp_path / f"all{suffix.lower()}", PAIRS).rename(tmp_path / f"all{suffix}")
    texts, labels = read_sentences(path)
    assert list(zip(texts, labels, strict=True)) == PAIRS


LINES = st.text(min_size=1, max_size=20).map(str.strip).filter(bool)


@given(rows=st.lists(st.tuples(LINES, LINES), min_size=1, max_size=5))
@settings(max_examples=30, deadline=None)
def test_what_is_written_as_jsonl_is_read(tmp_path_factory, rows):
    path = write(tmp_path_factory.mktemp("rows") / "all.jsonl", rows)
    texts, labels = read_sentences(path)
    assert list(zip(texts, labels, strict=True)) == rows


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("a.txt", b"", "ends in none of .csv, .jsonl, .parquet"),
        ("a.csv", None, "cannot be read: No such file"),
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b"words,label\nhello,a\n", "row 1 has no text"),
        ("a.csv", b"text,label\nhello\n", "row 1 has no label"),
        ("a.csv", b"text,label\n ,a\n", "row 1 has a text of 0 characters"),
        ("a.csv", b"text,label\n" + b"x" * 10_001 + b",a\n", "row 1 has a text of 10001 characters"),
        ("a.csv", b"\xff\xfe\x00", "is damaged"),
        ("a.csv", b'text,label\n"never closed', "is damaged|has no label"),
        ("a.jsonl", b"{", "is damaged"),
        ("a.jsonl", b"[1]\n", "row 1 has no text and no label"),
        ("a.jsonl", b'{"text": ["a"], "label": null}\n', "row 1 has no text and no label"),
        ("a.jsonl", b"[" * 100_000, "is damaged"),
        ("a.parquet", b"PAR1 no", "is damaged"),
    ],
)
def test_what_is_no_table_of_sentences_is_told_in_one_line(tmp_path, name, content, says):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=says) as caught:
        read_sentences(tmp_path / name)
    assert "\n" not in str(caught.value)
    assert name in str(caught.value)


def test_embeddings_know_what_sentences_mean_and_are_kept(monkeypatch):
    pytest.importorskip("sentence_transformers")
    texts = ["book a table for two", "reserve a place to eat", "what is the weather", "will it rain today"]
    data = embedded(texts, ["food", "food", "weather", "weather"])
    assert data.x.shape == (4, 384)
    torch.testing.assert_close(data.x.norm(dim=1), torch.ones(4))
    alike = data.x @ data.x.T
    assert alike[0, 1] > alike[0, 2:].max()
    assert alike[2, 3] > alike[2, :2].max()

    def fail(name):
        raise AssertionError("embedded again")

    monkeypatch.setattr(text, "sentence_encoder", fail)
    assert torch.equal(embedded(texts, ["food", "food", "weather", "weather"]).x, data.x)


def test_an_unknown_encoder_is_told_in_one_line(tmp_path):
    pytest.importorskip("sentence_transformers")
    with pytest.raises(SettingError, match="no sentence encoder") as caught:
        sentence_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)


def stub(texts):
    return torch.tensor([[float(len(t)), float(sum(map(ord, t)) % 97)] for t in texts])


@shared
def test_shared_domains_never_meet(monkeypatch):
    monkeypatch.setattr(text, "sentence_encoder", lambda name: stub)  # what they are embedded by is not the point
    splits = clinc150(SHARED)
    assert [part.n_classes for part in splits] == [75, 30, 45]
    assert all((part.counts == 150).all() for part in splits)
    domains = [{name.split("/")[0] for name in part.names} for part in splits]
    assert not domains[0] & domains[1]
    assert not domains[0] & domains[2]
    assert not domains[1] & domains[2]


def test_damaged_files_of_clinc_are_told(tmp_path):
    (tmp_path / "data_full.json").write_text('{"train": 3}')
    with pytest.raises(DataError, match=r"no domains\.json in"):
        clinc150(tmp_path)
    (tmp_path / "domains.json").write_text('{"banking": ["a"]}')
    with pytest.raises(DataError, match="not as published"):
        clinc150(tmp_path)
    (tmp_path / "domains.json").write_text("{")
    with pytest.raises(DataError, match="cannot be read"):
        clinc150(tmp_path)


def test_ones_own_sentences_are_split_by_label(tmp_path, monkeypatch):
    monkeypatch.setattr(text, "sentence_encoder", lambda name: stub)
    rows = [(f"{label} {i}", label) for label in "abcdefghij" for i in range(3)]
    parts = sentences(write(tmp_path / "all.csv", rows))
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
    assert "n_way=2 is too many: the validation split has 1 classes" in done.err
    more = [(f"{line} please", f"{label} again") for line, label in rows]
    table = write(tmp_path / "more.csv", rows + more)
    done = cli("train", *flags, "--data-root", str(table), "--out", str(tmp_path / "run"))
    assert done.code == 0, done.err
    asked = write(tmp_path / "mine.csv", rows)
    assert cli("adapt", str(tmp_path / "run"), str(asked), "-o", str(tmp_path / "few")).code == 0
    said = cli("predict", str(tmp_path / "few"), "is there a storm coming", "I am hungry for pasta", "--json")
    assert [row["label"] for row in json.loads(said.out)] == ["weather", "food"]
    assert set(json.loads(said.out)[0]) == {"text", "label", "probabilities"}
    why = cli("explain", str(tmp_path / "few"), "will it rain tomorrow", "-o", str(tmp_path / "why.html"), "--json")
    lent = dict(json.loads(why.out)["words"])
    assert max(lent, key=lent.get) == "rain"
    assert ">tomorrow</span>" in (tmp_path / "why.html").read_text()
    assert cli("doctor", str(tmp_path / "few")).code == 0
    assert cli("adapt", str(tmp_path / "run"), str(tmp_path), "-o", str(tmp_path / "no")).code == 2
