"""Whatever lies in a file: it is read, or refused in one line."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.parsers import PARSERS, picture, refusal

SOME = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
PLACES = st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=6)


@pytest.fixture
def folder(tmp_path, parser):
    parser.make(tmp_path)
    return tmp_path


by_parser = pytest.mark.parametrize("parser", PARSERS.values(), ids=PARSERS)


@by_parser
def test_what_is_whole_is_read(folder, parser):
    assert refusal(parser, folder) == ""


@by_parser
@given(content=st.binary(max_size=300))
@SOME
def test_any_bytes(folder, parser, content):
    (folder / parser.file).write_bytes(content)
    refusal(parser, folder)


@by_parser
@given(content=st.text(max_size=300))
@SOME
def test_any_text(folder, parser, content):
    (folder / parser.file).write_text(content, "utf-8", newline="")
    refusal(parser, folder)


@pytest.mark.slow
@by_parser
@given(places=PLACES, kept=st.floats(0, 1), more=st.binary(max_size=20))
@SOME
def test_what_was_whole_and_is_spoiled(tmp_path_factory, parser, places, kept, more):
    folder = tmp_path_factory.mktemp("spoiled")
    parser.make(folder)
    content = bytearray((folder / parser.file).read_bytes())
    for place, value in places:
        content[int(place * len(content))] = value
    (folder / parser.file).write_bytes(content[: max(1, int(2 * kept * len(content)))] + more)
    refusal(parser, folder)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=4) | st.dictionaries(st.text(max_size=8), part, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize("name", [name for name, parser in PARSERS.items() if parser.file.endswith(".json")])
@given(data=st.data())
@SOME
def test_any_value_in_the_place_of_any_other(tmp_path_factory, name, data):
    parser = PARSERS[name]
    folder = tmp_path_factory.mktemp("other")
    parser.make(folder)
    there = json.loads((folder / parser.file).read_bytes())
    at, keys = there, sorted(there)
    key = data.draw(st.sampled_from(keys))
    while isinstance(at[key], dict) and at[key] and data.draw(st.booleans()):
        at = at[key]
        key = data.draw(st.sampled_from(sorted(at)))
    at[key] = data.draw(JSON)
    (folder / parser.file).write_text(json.dumps(there))
    refusal(parser, folder)


NAMES = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=8).filter(
    lambda name: name not in (".", "..") and len(name.encode()) < 200
)
CONTENTS = st.sampled_from([picture("PNG"), picture("JPEG"), b"", b"text", picture("PNG")[:40]])
FILES = st.tuples(CONTENTS, st.sampled_from(["", ".png", ".JPG", ".txt"]))
TREES = st.dictionaries(st.lists(NAMES, min_size=1, max_size=4).map(tuple), FILES, max_size=6)


@given(tree=TREES)
@SOME
def test_any_tree_of_folders_is_a_data_set_or_one_line(tmp_path_factory, tree):
    folder = tmp_path_factory.mktemp("tree")
    for parts, (content, suffix) in tree.items():
        path = folder.joinpath(*parts[:-1], parts[-1] + suffix)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:  # a file where a folder is
            continue
    refusal(PARSERS["folder"], folder)
