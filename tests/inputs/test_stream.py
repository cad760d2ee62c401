"""Streams of many inputs: which files patterns name, and that no input is lost behind a bad one."""

import io
import os
from pathlib import Path

import pytest

from quickstudy.errors import DataError
from quickstudy.inputs.batches import encoded_batches
from quickstudy.inputs.rows import COMMON, Columns
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.stream import expanded, lines_of, parts_of
from quickstudy.inputs.tables import Table
from tests.inputs.test_rows import workbook


@pytest.fixture
def nest(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("nest/a.png", "nest/x/b.png", "nest/x/y/c.png", "nest/x/.hidden", "ph [1]/d.png", "[e].png"):
        path = Path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    Path("nest", "empty").mkdir()


@pytest.mark.parametrize(
    ("pattern", "files"),
    [
        ("nest/**", "a x/b x/y/c"),
        ("nest/**/*", "a x/b x/y/c"),
        ("nest/**/*.png", "a x/b x/y/c"),
        ("nest/**/", "a x/b x/y/c"),
        ("nest/**/[xb]*", "x/b"),
        ("nest/x/**", "x/b x/y/c"),
    ],
)
def test_a_pattern_answers_each_file_once_in_order(nest, pattern, files):
    found = []
    for name in expanded([pattern]):
        inside = [os.path.join(name, each) for each in os.listdir(name)] if os.path.isdir(name) else [name]
        found += [os.path.normpath(each) for each in inside if each.endswith(".png")]
    assert found == [f"nest/{name}.png".replace("/", os.sep) for name in files.split()]


@pytest.mark.parametrize("pattern", ["nest/**", "nest/**/*", "nest/**/*.png"])
def test_links_of_folders_answer_no_file_twice(nest, pattern):
    files = expanded([pattern])
    Path("nest", "x", "again").symlink_to(Path("nest").resolve())
    Path("nest", "b").symlink_to("x")
    assert expanded([pattern]) == files
    Path("nest", "e.png").symlink_to("a.png")
    assert expanded(["nest/*.png"]) == [os.path.join("nest", "a.png"), os.path.join("nest", "e.png")]


def test_a_folder_with_deeper_files_is_not_passed_over_in_silence(nest):
    Path("deep/one/two").mkdir(parents=True)
    assert expanded(["deep/*"]) == [os.path.join("deep", "one")]  # which is refused, since it holds no images


def test_brackets_of_names_are_said_to_be_a_pattern(nest):
    for given, right in ("ph [1]/*.png", "ph [[]1]/*.png"), ("ph[2]/*.png", "ph[[]2]/*.png"):
        with pytest.raises(DataError) as caught:
            expanded([given])
        assert f"{given!r} matches no file; brackets are a pattern, so write {right!r}" in str(caught.value)
    assert expanded(["ph [[]1]/*.png"]) == ["ph [1]/d.png".replace("/", os.sep)]
    assert expanded(["[e].png", "[urgent] help me", "what?"]) == ["[e].png", "[urgent] help me", "what?"]


def sheet(path):
    return workbook(path, [("text",), ("one",), (None, "no name"), ("three",)])


def parquet(path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.table({"text": ["one", None, "three"]}), path)


FILES = {
    "empty.csv": b"id,text\n1,one\n2,\n3,three\n",
    "quote.csv": b'text\none\n"two" 2\nthree\n',
    "column.csv": b"text,\none,\ntwo,more\nthree,\n",
    "latin.csv": b"text\none\ncaf\xe9\nthree\n",
    "long.tsv": b"text\tid\none\t1\n" + b"x" * 10_001 + b"\t2\nthree\t3\n",
    "damaged.jsonl": b'{"text": "one"}\n{"text": "tw\n{"text": "three"}\n',
    "array.jsonl": b'{"text": "one"}\n["two"]\n{"text": "three"}\n',
    "half.jsonl": b'{"text": "one"}\n{"text": "hello \\ud83d"}\n{"text": "three"}\n',
    "other.jsonl": b'{"text": "one"}\n{"words": "two"}\n{"text": "three"}\n',
    "sheet.xlsx": sheet,
    "nothing.parquet": parquet,
}


def answered(inputs, sources, columns=COMMON):
    """The names of the inputs that can be read, and the messages about the others."""
    errors, names = [], []
    for part in parts_of(inputs, sources, columns, False, errors.append):
        for rows, _ in encoded_batches(inputs, part.things, errors.append):
            names += [part.things[i].name for i in rows]
    return names, [str(error) for error in errors]


@pytest.mark.parametrize("columns", [COMMON, Columns("TEXT")], ids=["common", "named"])
@pytest.mark.parametrize("name", FILES)
def test_the_rows_behind_a_bad_one_are_read(tmp_path, name, columns):
    path, content = tmp_path / name, FILES[name]
    content(path) if callable(content) else path.write_bytes(content)
    names, [message] = answered(Sentences(), [str(path), "a sentence"], columns)
    assert names == ["one", "three", "a sentence"]
    assert str(path) in message
    with pytest.raises(DataError) as caught:
        Sentences().encode(list(Sentences().open(path, columns)))
    assert str(caught.value) == message


@pytest.mark.parametrize("name", ["quote.csv", "column.csv", "latin.csv", "damaged.jsonl", "array.jsonl", "half.jsonl"])
def test_the_rows_of_a_table_behind_a_bad_one_are_read(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FILES[name])
    names, [message] = answered(Table({}, {"text": ["one", "three"]}), [str(path)])
    assert names == [f"{path} row 1", f"{path} row 3"]
    assert str(path) in message


def test_a_file_without_the_column_is_one_error(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("words,id\none,1\ntwo,2\n")
    names, [message] = answered(Sentences(), [str(path), "a sentence"])
    assert names == ["a sentence"]
    assert "row 1 has no text; its columns are 'words', 'id'" in message


def test_a_line_of_a_stream_that_is_not_text_is_refused_alone():
    content = "\ufeffwhere is it\r\ncaf\u00e9\nhello\n"
    stream = io.TextIOWrapper(io.BytesIO(content.encode()), "utf-8")
    assert lines_of(stream) == ["where is it", "caf\u00e9", "hello"]
    latin = content.removeprefix("\ufeff").encode("latin-1")
    names, [message] = answered(Sentences(), lines_of(io.TextIOWrapper(io.BytesIO(latin), "utf-8")))
    assert names == ["where is it", "hello"]
    assert "caf" in message
    assert "is not text in UTF-8 (byte 0xE9); save it as UTF-8, or name its encoding" in message
    assert lines_of(io.TextIOWrapper(io.BytesIO(latin), "utf-8"), "latin-1")[1] == "caf\u00e9"
