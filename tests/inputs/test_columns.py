"""Columns: what is missing, what is a number, and what is refused because it is not clear."""

import warnings

import pytest

from quickstudy.errors import DataError
from quickstudy.inputs.base import Item
from quickstudy.inputs.columns import holds_numbers
from quickstudy.inputs.tables import Table


def items(values, name="a", more=()):
    return [Item(f"stones.csv row {i}", {name: value, **dict(more)}) for i, value in enumerate(values, 1)]


@pytest.mark.parametrize(
    "word", ["", " ", "NA", "n/a", "N/A", "#N/A", "<NA>", "nan", "NaN", "null", "None", "-", "?", None]
)
def test_one_unknown_cell_leaves_a_column_of_numbers(word):
    values = items(["1", word, "3"])
    table = Table.fitted(values)
    assert table.numbers == {"a": [2.0, 1.0]}
    assert table.encode(values).flatten().tolist() == [-1, 0, 1]


def test_an_unknown_category_is_no_category():
    rows = items(["red", "n/a", "blue", "?"])
    table = Table.fitted(rows)
    assert table.categories == {"a": ["blue", "red"]}
    assert table.encode(rows).tolist() == [[0, 1], [0, 0], [1, 0], [0, 0]]
    before = Table({}, {"a": ["NA", "red"]})  # of an earlier version, where "NA" was a category
    assert before.encode(items(["NA", "red"])).tolist() == [[1, 0], [0, 1]]


def test_a_slip_among_numbers_is_named_and_not_taken_for_a_category():
    values = [str(i) for i in range(19)]
    with pytest.raises(DataError) as caught:
        Table.fitted(items([*values, "ten"]))
    assert str(caught.value) == (
        "stones.csv row 20: 'ten' in column 'a' is not a number, but nearly all others are; correct it, "
        "or leave it empty"
    )


@pytest.mark.parametrize(
    "values", [["1.5", "1.7", "ten", "1.9"], ["5 %", "7 %", "9 %"], ["2026-05-01", "2026-05-02", "1"], ["1,5", "x"]]
)
def test_a_few_numbers_that_are_categories_are_reported(values):
    with pytest.warns(UserWarning, match=r"column 'a' is read as categories, because '[^,]*' is not a number; write"):
        assert Table.fitted(items(values)).categories == {"a": sorted(values)}


@pytest.mark.parametrize("values", [["1", "2", "K"] * 4, ["S", "M", "38", "L"], ["A1", "B2", "C3"], ["yes", "no"]])
def test_categories_of_digits_and_letters_are_quiet(values):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Table.fitted(items(values)).categories == {"a": sorted(set(values))}


def test_sentences_are_no_categories():
    texts = ["where is my card", "it will rain soon", "book me a table", "play some music"]
    with pytest.raises(DataError, match="column 'Message' holds texts, not categories; name it by --text-column"):
        Table.fitted(items(texts, "Message"))


@pytest.mark.parametrize(
    ("values", "numbers"),
    [
        (["1,5", "2,5"], [2.0, 0.5]),
        (["1,5", "3"], [2.25, 0.75]),
        (["-1,25", "n/a", "1,25"], [0.0, 1.25]),
        (["1,5", "1,500"], [1.5, 1.0]),
        (["0,125", "0,375"], [0.25, 0.125]),
        (["1,5e3", "2,5e3"], [2000.0, 500.0]),
    ],
)
def test_decimal_commas_are_numbers_and_reported(values, numbers):
    with pytest.warns(UserWarning, match=r"column 'a' has decimal commas: '.*' is read as -?\d"):
        table = Table.fitted(items(values))
    assert table.numbers == {"a": numbers}
    assert table.decimal_commas == ("a",)
    assert "A comma is a decimal point in a." in table.recipe
    same = table.encode([Item("python", {"a": numbers[0]}), Item("text", {"a": str(numbers[0]).replace(".", ",")})])
    assert same.flatten().tolist() == [0, 0]
    kept = [Item(item.name, table.keep(item)) for item in items([1.234, *values])]
    assert table.encode(kept).tolist() == table.encode(items([1.234, *values])).tolist()
    with pytest.raises(DataError, match="which holds numbers with decimal commas; correct it"):
        table.encode(items(["1.500"]))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (["1,234", "5,678"], "row 1: '1,234' in column 'a' may have separated thousands; write numbers without them"),
        (["1,234", "12"], "row 1: '1,234' in column 'a' may have separated thousands"),
        (["1,234.5", "7"], "row 1: '1,234.5' in column 'a' may have separated thousands"),
        (["1.234,5", "7,5"], "row 1: '1.234,5' in column 'a' may have separated thousands"),
        (["12 000", "7"], "row 1: '12 000' in column 'a' may have separated thousands"),
        (["7", "1\u202f234\u202f567"], "row 2: '1"),
        (
            ["1.5", "1,5"],
            "row 2: '1,5' in column 'a' has a comma, but '1.5' has a point; write all with a decimal point",
        ),
    ],
)
def test_what_may_be_two_numbers_is_refused(values, says):
    with pytest.raises(DataError) as caught:
        Table.fitted(items(values))
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("cell", ["1,5", "1,500", "ten", "1_000", "inf", "1e99"])
def test_a_new_cell_that_is_no_number_is_refused_by_its_row(cell):
    with pytest.raises(DataError, match=r"stones.csv row 1 has '.*' in column 'a', which holds numbers; "):
        Table({"a": [0.0, 1.0]}, {}).encode(items([cell]))


def test_a_column_is_numbers_from_nine_tenths_on():
    cells = [(f"row {i}", "1") for i in range(9)]
    assert holds_numbers("a", cells)
    with pytest.raises(DataError, match="row 9: 'x'"):
        holds_numbers("a", [*cells, ("row 9", "x")])
    assert not holds_numbers("a", [*cells[1:], ("row 8", "x"), ("row 9", "x")])
