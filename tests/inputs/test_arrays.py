"""Arrays of one shape, from Python or NumPy files: taken as they are, or refused in one line before memory is taken."""

import io
import os
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import DataError
from quickstudy.inputs.arrays import Arrays, blocks_of
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import Prototypical
from quickstudy.nets import Identity
from tests.limits import used

TWO = Arrays((2,))


def npy(x, **options):
    content = io.BytesIO()
    np.save(content, x, **options)
    return content.getvalue()


def claims(shape: str, dtype: str = "'<f8'") -> bytes:
    """A NumPy file whose header says a shape and that holds eight bytes."""
    header = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + bytes(8)


def archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("x.npy", npy(np.zeros((1000, 1000))))
    return content.getvalue()


HOSTILE = {
    "nothing": b"",
    "text": b"1,2\n3,4\n",
    "a pickle": pickle.dumps([1.0, 2.0]),
    "objects": npy(np.array([{}, 1], dtype=object), allow_pickle=True),
    "words": npy(np.array(["a", "b"])),
    "long numbers": npy(np.ones((2, 2), np.longdouble)),
    "dates": npy(np.array(["2020-01-01"], dtype="datetime64[D]")),
    "complex numbers": npy(np.ones(2, complex)),
    "fields": npy(np.zeros(2, dtype=[("a", "f8")])),
    "one number": npy(np.float64(3)),
    "an archive": archive(),
    "a cut file": npy(np.zeros((3, 2)))[:-5],
    "a cut header": npy(np.zeros((3, 2)))[:40],
    "a shape of 10^18": claims(f"({10**9}, {10**9})"),
    "a shape of 80 GB": claims(f"({10**10},)"),
    "a shape that overflows": claims(f"({2**62}, 4)"),
    "a shape below nothing": claims("(-1, 2)"),
    "a shape of words": claims("('a',)"),
    "a type from elsewhere": claims("(1,)", "'os.system'"),
    "a header that is a call": b"\x93NUMPY\x01\x00" + struct.pack("<H", 20) + b"__import__('os')    ",
    "a later version": b"\x93NUMPY\x09\x00" + npy(np.zeros(2))[8:],
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("how", ["file", "upload", "kept"])
def test_a_hostile_file_is_refused_in_one_line(tmp_path, name, how):
    path = tmp_path / "mine.npy"
    path.write_bytes(HOSTILE[name])
    read = {
        "file": lambda: list(TWO.open(path)),
        "upload": lambda: list(TWO.open(HOSTILE[name])),
        "kept": lambda: TWO.encode([Item(str(path), HOSTILE[name])]),
    }
    with used() as effort, pytest.raises(DataError) as caught:
        read[how]()
    said = str(caught.value)
    assert ("upload" if how == "upload" else str(path)) in said
    assert "\n" not in said
    assert len(said) < 400
    assert effort.megabytes < 100


@pytest.mark.parametrize("make", [lambda p: None, lambda p: p.mkdir(), lambda p: p.symlink_to(p), os.mkfifo])
def test_what_is_no_file_is_named(tmp_path, make):
    make(tmp_path / "mine.npy")
    with pytest.raises(DataError, match=r"mine\.npy' cannot be read"):
        list(TWO.open(tmp_path / "mine.npy"))


def test_a_sparse_file_of_two_gigabytes_is_read_as_its_rows_are_needed(tmp_path):
    np.lib.format.open_memmap(tmp_path / "mine.npy", mode="w+", dtype=np.float64, shape=(2**27, 2)).flush()
    with used() as effort:
        assert next(TWO.open(tmp_path / "mine.npy")).value.tolist() == [0, 0]
    assert effort.megabytes < 100


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.float16, np.float32, np.float64, bool])
def test_rows_of_a_file_are_items_by_number(tmp_path, dtype):
    x = np.array([[0, 1], [1, 0], [1, 1]], dtype)
    np.save(tmp_path / "mine.npy", x)
    items = list(TWO.open(tmp_path / "mine.npy"))
    assert [item.name for item in items] == [f"{tmp_path / 'mine.npy'} row {i}" for i in (1, 2, 3)]
    assert torch.equal(TWO.encode(items), torch.from_numpy(x))
    assert TWO.encode([Item(item.name, TWO.keep(item)) for item in items]).tolist() == x.tolist()


def test_another_shape_is_named():
    with pytest.raises(DataError, match=r"mine has shape \(3,\), but \(2,\) is needed"):
        TWO.encode([Item("mine", [1.0, 2.0, 3.0])])
    with pytest.raises(DataError, match=r"holds arrays of shape \(3,\), but \(2,\) is needed"):
        list(TWO.open(npy(np.zeros((4, 3)))))
    with pytest.raises(DataError, match="files of arrays have no labels; adapt it from Python"):
        Arrays.labelled("mine.npy")
    assert TWO.encode([]).shape == (0, 2)


@pytest.mark.parametrize("dtype", [">f4", ">f8", ">i2", ">u2", "<f4"])
@pytest.mark.parametrize("by_columns", [False, True])
def test_the_order_of_bytes_does_not_matter(tmp_path, dtype, by_columns):
    x = np.array([[0, 1], [256, 3], [4, 5]], dtype)
    x = np.asfortranarray(x) if by_columns else x
    np.save(tmp_path / "mine.npy", x)
    for items in list(TWO.open(tmp_path / "mine.npy")), list(TWO.open(npy(x))), [Item("mine", row) for row in x]:
        assert TWO.encode(items).tolist() == x.tolist()
    assert np.concatenate(list(blocks_of(tmp_path / "mine.npy", (2,), 2))).tolist() == x.tolist()
    assert next(blocks_of(tmp_path / "mine.npy", (2,), 2)).dtype.isnative


@pytest.mark.parametrize("kind", [">f4", np.longdouble, "reversed"])
def test_arrays_that_torch_does_not_take_are_converted(kind):
    x = np.array([[5, 0], [0, 1], [4, 1]], np.float32)
    given = x[::-1].copy()[::-1] if kind == "reversed" else x.astype(kind)
    data = ClassDataset.from_labels(given, ["a", "b", "a"])
    assert data.x.tolist() == x[[0, 2, 1]].tolist()
    assert TWO.is_encoded(given)
    assert Classifier(Prototypical(Identity(2)), TWO, data).predict(given) == ["a", "b", "a"]
