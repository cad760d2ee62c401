"""Rows as vectors: standardised by the rows they were fitted on, wherever they come from; refused in one line."""

import json
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.classify.edit import learned, with_more
from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.base import Item
from quickstudy.inputs.tables import Table

ONE = Table({"a": [0.0, 1.0]}, {})
BOTH = Table({"width": [2.0, 0.5]}, {"colour": ["blue", "red"]})


def fitted(rows):
    return Table.fitted([Item(str(i), row) for i, row in enumerate(rows)])


@given(st.lists(st.floats(-1e6, 1e6, width=32), min_size=2, max_size=20))
@settings(deadline=None)
def test_vectors_are_finite_and_do_not_depend_on_scale_and_shift(numbers):
    rows = [{"a": number} for number in numbers]
    moved = [{"a": 4.0 * number + 1.0} for number in numbers]
    x, y = (fitted(some).encode(fitted(some).items(some)) for some in (rows, moved))
    assert torch.isfinite(x).all()
    if np.std(numbers) > 1e-3 * (1 + np.abs(numbers).max()):
        assert torch.allclose(x, y, atol=1e-3)


def test_one_slip_does_not_outweigh_everything():
    assert ONE.encode(ONE.items([{"a": "1e20"}, {"a": "-3"}])).flatten().tolist() == [10, -3]


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({"a": "ten"}, ["row 1", "'ten'", "'a'"]),
        ({"a": "inf"}, ["row 1", "'inf'"]),
        ({"b": 1}, ["row 1", "no column 'a'"]),
        (3, ["row 1", "no column 'a'"]),
        (None, ["row 1", "no column 'a'"]),
        (b"[1, 2]", ["row 1", "not a saved row"]),
        (b"no json", ["row 1", "not a saved row"]),
        (b"\xff", ["row 1", "not a saved row"]),
        (b"[" * 100_000, ["row 1", "not a saved row"]),
    ],
)
def test_what_is_no_row_of_numbers_is_named(row, words):
    with pytest.raises(DataError) as caught:
        ONE.encode(ONE.items([row]))
    assert all(word in str(caught.value) for word in words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("numbers", "categories"),
    [
        ({"a": [0.0, 0.0]}, {}),
        ({"a": [0.0]}, {}),
        ({"a": [float("nan"), 1.0]}, {}),
        ({"a": [0.0, float("inf")]}, {}),
        ({}, {}),
        ({str(i): [0.0, 1.0] for i in range(1001)}, {}),
    ],
)
def test_a_table_that_cannot_be_is_refused(numbers, categories):
    with pytest.raises(SettingError):
        Table(numbers, categories)


def test_columns_of_a_thousand_rows_are_named_only_where_they_are_wrong():
    rows = [{"a": "1"}] * 999 + [{"a": "x"}]
    with pytest.raises(DataError, match="row 1000 has 'x' in column 'a', which holds numbers; correct it"):
        ONE.encode(ONE.items(rows))


@given(rows=st.lists(st.tuples(st.none() | st.floats(-9, 9), st.sampled_from([None, "", "red", "blue", "green"]))))
@settings(deadline=None)
def test_a_kept_row_encodes_alike_and_a_row_does_not_depend_on_the_others(rows):
    items = [Item(str(i), {"width": width, "colour": colour, "more": 7}) for i, (width, colour) in enumerate(rows)]
    x = BOTH.encode(items)
    assert x.shape == (len(items), 3)
    for i, item in enumerate(items):
        kept = BOTH.keep(item)
        assert torch.equal(BOTH.encode([item])[0], x[i])
        assert torch.equal(BOTH.encode([Item(item.name, kept)])[0], x[i])
        assert BOTH.keep(Item(item.name, kept)) == kept
        assert "more" not in json.loads(kept)


def test_parts_are_columns_each_left_empty():
    item = Item("stones.csv row 3", {"width": "2.5", "colour": "red"})
    parts = dict(BOTH.parts(item))
    assert list(parts) == ["width", "colour"]
    assert BOTH.encode([item]).tolist() == [[1, 0, 1]]
    assert BOTH.encode([parts["width"]]).tolist() == [[0, 0, 1]]
    assert BOTH.encode([parts["colour"]]).tolist() == [[1, 0, 0]]
    assert BOTH.caption(item) == "stones.csv row 3: width 2.5, colour red"
    assert BOTH.caption(Item("a", parts["width"].value)) == "a: colour red"


def test_vectors_stay_as_they_are():
    x = torch.rand(3, 3)
    assert torch.equal(BOTH.encode([Item(str(i), row) for i, row in enumerate(x)]), x)


def test_one_dictionary_is_not_a_list_of_them():
    with pytest.raises(DataError, match=r"one dict is given, but a list of rows is needed; write \[X\]"):
        BOTH.items({"width": "1", "colour": "red"})


def test_an_uploaded_file_opens_as_rows():
    items = list(BOTH.open(b"colour,width\nred,2.5\nblue,\n"))
    assert [item.name for item in items] == ["upload row 1", "upload row 2"]
    assert BOTH.encode(items).tolist() == [[1, 0, 1], [0, 1, 0]]
    with pytest.raises(DataError, match="'upload' holds no rows"):
        list(BOTH.open(b"colour,width\n"))


def test_the_recipe_says_enough_to_make_the_same_vectors():
    """From the words and the arguments alone."""
    rows = [{"width": "2.5", "colour": "red"}, {"width": "99", "colour": "green"}, {"width": "", "colour": "blue"}]
    assert "(value - mean) / deviation, cut at -10 and 10, 0 where missing" in BOTH.recipe
    vectors = []
    for row in rows:
        vector = []
        for name, (mean, deviation) in BOTH.numbers.items():
            vector.append(max(-10, min(10, (float(row[name]) - mean) / deviation)) if row[name] else 0.0)
        for name, values in BOTH.categories.items():
            vector += [float(row[name] == value) for value in values]
        vectors.append(vector)
    assert torch.equal(BOTH.encode(BOTH.items(rows)), torch.tensor(vectors))


def test_truth_values_are_the_same_in_every_kind_of_file():
    rows = [{"a": 1, "b": value} for value in (True, "TRUE", "true", False, "FALSE", np.False_)]
    table = fitted(rows)
    assert table.categories == {"b": ["false", "true"]}
    assert table.encode(table.items(rows))[:, 2].tolist() == [1, 1, 1, 0, 0, 0]
    stored = Table({}, {"b": ["FALSE", "TRUE"]})
    assert stored.encode(stored.items(rows))[:, 1].tolist() == [1, 1, 1, 0, 0, 0]


def test_a_category_that_no_example_has_is_a_warning():
    rows = [{"a": i, "b": "green" if i % 2 else "red"} for i in range(6)]
    few = learned([(Item(f"row {i}", row), str(i % 2)) for i, row in enumerate(rows)])
    new = [{"a": 1, "b": "n/a"}, {"a": 1, "b": "Green"}, {"a": 1, "b": "blue"}]
    with pytest.warns(
        UserWarning, match="row 2 has 'Green' in column 'b', which no example has; it and 1 more count as missing"
    ):
        few.predict(new)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        few.predict([*new[:1], *rows])
        with_more(few, [(Item("new", new[1]), "2")])
