"""Streams of many inputs: which files patterns name."""

import os
from pathlib import Path

import pytest

from quickstudy.errors import DataError
from quickstudy.inputs.stream import expanded


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
