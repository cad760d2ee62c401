"""Sentences: files are read whole or refused in one line, and embeddings are kept."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs import sentences
from quickstudy.inputs.base import Item
from quickstudy.inputs.encoders import MINILM, sentence_encoder
from quickstudy.inputs.sentences import Sentences, read_sentences

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
        ("a.txt", b"", "does not end in one of .csv, .tsv, .jsonl, .parquet, .xlsx"),
        ("a.csv", None, "cannot be read: No such file"),
        ("a.csv", b"", "holds no rows"),
        ("a.csv", b"words,label\nhello,a\n", "row 1 has no text"),
        ("a.csv", b"text,label\nhello\n", "row 1 has no label"),
        ("a.csv", b"text,label\n ,a\n", "row 1 has no text; fill it"),
        ("a.csv", b"text,label\n" + b"x" * 10_001 + b",a\n", "row 1 has a text of 10001 characters"),
        ("a.csv", b"\xff\xfe\x00", "is not text in UTF-16"),
        ("a.csv", b'text,label\n"never closed', "is damaged|has no label"),
        ("a.jsonl", b"{", "is damaged"),
        ("a.jsonl", b"[1]\n", "line 1 is not an object; write one per line"),
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


def test_embeddings_know_what_sentences_mean():
    pytest.importorskip("sentence_transformers")
    texts = ["book a table for two", "reserve a place to eat", "what is the weather", "will it rain today"]
    x = Sentences.fitted(()).encode([Item(text, text) for text in texts])
    assert x.shape == (4, 384)
    torch.testing.assert_close(x.norm(dim=1), torch.ones(4))
    alike = x @ x.T
    assert alike[0, 1] > alike[0, 2:].max()
    assert alike[2, 3] > alike[2, :2].max()


def test_an_unknown_encoder_is_told_in_one_line(tmp_path):
    pytest.importorskip("sentence_transformers")
    with pytest.raises(SettingError, match="no encoder") as caught:
        sentence_encoder(str(tmp_path))
    assert "\n" not in str(caught.value)


def stub(texts):
    return torch.tensor([[float(len(t)), float(sum(map(ord, t)) % 97)] for t in texts])


@pytest.mark.parametrize("value", ["", " \n", "x" * 10_001, 3, None, ["a"], b"", b"\n \t"], ids=repr)
def test_what_is_no_sentence_is_named(value):
    with pytest.raises(DataError, match=r"^'mine' is a .*; give a sentence of 1 to 10000 characters") as caught:
        Sentences().encode([Item("mine", value)])
    assert "\n" not in str(caught.value)


def test_a_sentence_a_file_and_an_upload_open_as_sentences(tmp_path):
    path, some = write(tmp_path / "all.csv", PAIRS), Sentences()
    texts = [text for text, _ in PAIRS]
    for source in (path, str(path)):
        assert [tuple(item) for item in some.open(source)] == list(zip(texts, texts, strict=True))
    for said in ("where is it.csv now", "will it rain", "I mean a.txt", "a" * 5000):
        assert [tuple(item) for item in some.open(said)] == [(said, said)]
    (upload,) = some.open("ünï".encode())
    assert upload.name == "ünï"
    for place in ("a.txt", str(tmp_path)):
        with pytest.raises(DataError):
            list(some.open(place))


def test_kept_bytes_that_are_no_text_are_still_one_sentence(monkeypatch):
    monkeypatch.setattr(sentences, "sentence_encoder", lambda name: stub)
    assert Sentences().encode([Item("a", b"a\xff\xfe b")]).shape == (1, 2)
    for text, _ in PAIRS:
        kept = Sentences().keep(Item("a", text))
        assert Sentences().keep(Item("a", kept)) == kept == text.encode()


def test_words_are_left_out_one_by_one():
    parts = [(word, item.value) for word, item in Sentences().parts(Item("a", "book  a\ttable two"))]
    assert parts == [("book", "a table two"), ("a", "book table two"), ("table", "book a two"), ("two", "book a table")]
    assert list(Sentences().parts(Item("a", "one"))) == []


@pytest.mark.parametrize("name", ["other", "os.system", "../../model", "quickstudy.nets:MLP", "", "a" * 10_000])
def test_an_encoder_without_the_checksum_of_its_weights_is_refused(name):
    with pytest.raises(SettingError, match="needs the checksum of its weights") as caught:
        Sentences(name)
    assert len(str(caught.value)) < 300


def test_an_encoder_with_other_weights_is_refused():
    pytest.importorskip("sentence_transformers")
    assert Sentences.fitted(()) == Sentences()
    assert Sentences.fitted(()).sha256 == sentence_encoder(MINILM).sha256
    assert Sentences.fitted(()).encode([Item("a", "will it rain")]).shape == (1, 384)
    with pytest.raises(ModelError, match="differ from those that this model was made with") as caught:
        Sentences(MINILM, sha256="0" * 64).encode([Item("a", "will it rain")])
    assert "\n" not in str(caught.value)


def test_a_file_is_read_or_refused_and_never_taken_for_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "my few.csv", PAIRS)
    assert [item.value for item in Sentences().open("my few.csv")] == [text for text, _ in PAIRS]
    (tmp_path / "few.txt").write_text("where is my card\n")
    (tmp_path / "Makefile").write_text("words")
    for source in ("few.txt", str(tmp_path / "few.txt")):
        with pytest.raises(DataError, match=r"does not end in one of .csv, .*; convert it"):
            list(Sentences().open(source))
    assert list(Sentences().open("Makefile")) == [Item("Makefile", "Makefile")]
    with pytest.raises(DataError, match=r"'typo.csv' cannot be read: No such file"):
        list(Sentences().open("typo.csv"))
    for source in ("typo.txt", "typo.png"):
        with pytest.raises(DataError, match=r"does not end in one of .csv, .*; convert it"):
            list(Sentences().open(source))
    assert list(Sentences().open("I mean typo.txt")) == [Item("I mean typo.txt", "I mean typo.txt")]


def test_a_folder_is_never_taken_for_a_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets").mkdir()
    with pytest.raises(DataError, match=r"'tickets' is a folder; give its files, or --text \(in Python, qs.Item\("):
        list(Sentences().open("tickets"))
    item = Item("tickets", "tickets")
    assert Sentences().items([item]) == [item]


def test_singly_a_string_is_one_sentence_whatever_files_exist(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tickets").mkdir()
    write(tmp_path / "few.csv", PAIRS)
    texts = ["hello", "tickets", "few.csv", "typo.png", str(tmp_path)]
    assert Sentences().items(texts, singly=True) == [Item(text, text) for text in texts]


def test_an_empty_sentence_is_refused_by_its_place():
    pytest.importorskip("sentence_transformers")
    some = Sentences()
    for empty in ("", " \n"):
        with pytest.raises(DataError, match=r"^'text 2' is a text of \d characters; give a sentence of 1 to 10000"):
            some.encode(some.items(["will it rain", empty]))
