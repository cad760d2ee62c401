"""A data frame is its rows for inputs that are rows, and others refuse it; a column is a list."""

import importlib
from datetime import datetime

import pytest

from quickstudy.errors import DataError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.frames import is_frame, rows_of
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table

COLUMNS = {"width": [2.5, None], "day": [datetime(2026, 5, 1), None], "colour": ["red", None]}
ROWS = [{"width": 2.5, "day": datetime(2026, 5, 1), "colour": "red"}, dict.fromkeys(COLUMNS)]


@pytest.fixture(params=["pandas", "polars"])
def frames(request):
    pytest.importorskip(request.param)
    return importlib.import_module(request.param)


def test_a_frame_is_its_rows_and_missing_cells_are_none(frames):
    frame = frames.DataFrame(COLUMNS)
    assert is_frame(frame)
    assert rows_of(frame) == ROWS
    assert not is_frame(frame["width"])


def test_names_of_columns_are_text_and_differ():
    pandas = pytest.importorskip("pandas")
    assert rows_of(pandas.DataFrame([[1, 2]])) == [{"0": 1, "1": 2}]
    with pytest.raises(DataError, match=r"^the frame has two columns 'a', which rows cannot hold; rename one$"):
        rows_of(pandas.DataFrame([[1, 2, 3]], columns=["a", "b", "a"]))


def test_inputs_that_are_rows_take_a_frame(frames):
    items = Table({"width": [0.0, 1.0]}, {}).items(frames.DataFrame(COLUMNS))
    assert [item.name for item in items] == ["row 1", "row 2"]
    assert [item.value for item in items] == ROWS


@pytest.mark.parametrize(
    ("inputs", "advice"),
    [(Sentences(), 'df["text"]'), (Images(), 'df["image"]'), (Arrays((2,)), "df.to_numpy()")],
    ids=["text", "image", "array"],
)
def test_other_inputs_refuse_a_frame_and_say_what_to_give(frames, inputs, advice):
    with pytest.raises(DataError, match=r"^a DataFrame is given, but") as caught:
        inputs.items(frames.DataFrame({"text": ["hello", "bye"]}))
    assert str(caught.value).endswith(advice)


def test_a_column_is_a_list(frames):
    items = Sentences().items(frames.DataFrame({"text": ["hello", "bye"]})["text"])
    assert [item.value for item in items] == ["hello", "bye"]
