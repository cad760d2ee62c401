"""What Python brings becomes items: files are opened, values are named by their number, one thing is not a list."""

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Item, native
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table

TABLE = Table({"width": [0.0, 1.0]}, {})


@pytest.mark.parametrize(
    "thing", ["a.png", b"bytes", None, 3, Image.new("L", (3, 3)), {"width": 1}, np.zeros(()), Item("a", 1), object()]
)
@pytest.mark.parametrize("inputs", [Images(), Sentences(), TABLE, Arrays((2,))], ids=lambda one: one.noun)
def test_one_thing_is_not_a_list(inputs, thing):
    with pytest.raises(
        DataError, match=rf"^one {type(thing).__name__} is given, but a list of {inputs.noun}s"
    ) as caught:
        inputs.items(thing)
    assert "write [X]" in str(caught.value)


@pytest.mark.parametrize("inputs", [Images(), TABLE], ids=lambda one: one.noun)
def test_singly_each_entry_is_one_item(tmp_path, inputs):
    (tmp_path / "rows.csv").write_text("width\n1\n2\n")
    Image.new("L", (3, 3)).save(tmp_path / "a.png")
    values = [{"width": 1}] if inputs is TABLE else [str(tmp_path / "a.png"), tmp_path / "a.png", np.zeros((3, 3))]
    assert len(inputs.items(values, singly=True)) == len(values)
    with pytest.raises(DataError, match=f"is a folder, but each entry is one {inputs.noun}; give its files$"):
        inputs.items([*values, tmp_path], singly=True)
    if inputs is TABLE:
        with pytest.raises(DataError, match=r"holds 2 rows, but each entry is one row; give them singly$"):
            inputs.items([tmp_path / "rows.csv"], singly=True)


def test_a_read_only_array_is_copied_and_others_are_not():
    x = np.zeros((2, 3))
    assert native(x) is x
    x.flags.writeable = False
    assert native(x).flags.writeable


@pytest.mark.parametrize("nothing", [[], (), np.zeros((0, 2))])
def test_an_empty_list_is_refused(nothing):
    with pytest.raises(DataError, match="the list holds no images; give at least one"):
        Images().items(nothing)


def test_files_and_values_may_be_mixed_and_keep_their_order(tmp_path):
    for name in ("folder/b.png", "folder/a.png", "c.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        Image.new("L", (9, 9)).save(tmp_path / name)
    picture, upload = Image.new("L", (5, 5)), (tmp_path / "c.png").read_bytes()
    given = [tmp_path / "c.png", picture, str(tmp_path / "folder"), Item("mine", picture), upload]
    names = [item.name for item in Images().items(given)]
    inside = [str(tmp_path / "folder" / name) for name in ("a.png", "b.png")]
    assert names == [str(tmp_path / "c.png"), "image 2", *inside, "mine", "image 5"]


def test_rows_of_python_and_of_files_are_named(tmp_path):
    (tmp_path / "all.csv").write_text("width\n1\n2\n")
    names = [item.name for item in TABLE.items([{"width": 3}, str(tmp_path / "all.csv")])]
    assert names == ["row 1", f"{tmp_path / 'all.csv'} row 1", f"{tmp_path / 'all.csv'} row 2"]


@pytest.mark.parametrize(
    ("x", "known"),
    [
        (np.zeros((4, 1, 28, 28)), True),
        (torch.zeros(0, 1, 28, 28), True),
        (np.zeros((4, 28, 28)), False),
        (np.zeros((1, 28, 28)), False),
        (np.empty((4, 1, 28, 28), dtype=object), False),
        ([np.zeros((1, 28, 28))], False),
        ("a.png", False),
    ],
)
def test_an_array_of_encoded_inputs_is_recognised(x, known):
    assert Images().is_encoded(x) == known
