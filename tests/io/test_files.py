"""What is written is there whole or as it was; what is read is a plain file of a plain size."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quickstudy.errors import ModelError
from quickstudy.io.files import MAX_JSON, parse_json, plain_file, read_json, replace, whole_file


def test_a_write_that_fails_leaves_what_was_there(tmp_path):
    path = tmp_path / "note"
    path.write_bytes(b"old")
    with pytest.raises(TypeError), whole_file(path) as file:
        file.writelines([b"half", "not bytes"])
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_a_disk_that_fails_leaves_what_was_there(tmp_path, monkeypatch, name):
    path = tmp_path / "note"
    replace(path, b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, name, fail)
    with pytest.raises(OSError, match="No space left"):
        replace(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_link_a_pipe_and_a_folder_are_no_plain_files(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "link", tmp_path / "pipe", tmp_path):
        with pytest.raises(ModelError, match="is a link or no file at all"), plain_file(path, 100):
            pass
    with pytest.raises(ModelError, match="7 bytes, 6 at most"), plain_file(tmp_path / "file", 6):
        pass
    with plain_file(tmp_path / "file", 7) as file:
        assert file.read() == b"content"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda part: st.lists(part) | st.dictionaries(st.text(), part),
)


def refusal(content: bytes) -> str:
    """The words by which no JSON is refused; nothing for JSON."""
    try:
        parse_json(Path("x"), content)
    except ModelError as error:
        return str(error)
    return ""


@given(VALUES)
def test_what_json_holds_is_read(value):
    assert parse_json(Path("x"), json.dumps(value).encode()) == value


@given(st.binary() | st.text(alphabet='{}[]":,0123456789truefalsn\\u').map(str.encode))
def test_any_bytes_are_json_or_refused_in_a_line(content):
    said = refusal(content)
    assert not said or (said.startswith("x cannot be read: ") and "\n" not in said)


def test_a_name_that_stands_twice_is_refused(tmp_path):
    (tmp_path / "x.json").write_text('{"a": {"b": 1, "b": 2}}')
    with pytest.raises(ModelError, match="a name occurs twice"):
        read_json(tmp_path / "x.json")


def test_a_text_too_long_is_not_read(tmp_path):
    with (tmp_path / "x.json").open("wb") as file:
        file.truncate(MAX_JSON + 1)
    with pytest.raises(ModelError, match="1000001 bytes, 1000000 at most"):
        read_json(tmp_path / "x.json")
