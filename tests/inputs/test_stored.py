"""Arrays in a file that may be larger than memory."""

import copy
import os
import pickle
from collections import UserDict
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

import quickstudy as qs
from quickstudy.errors import DataError, ModelError

GIANT = 600_000, 3, 84, 84
"""Shape of a set of the size of tiered-ImageNet: 12.7 GB."""


def stored(folder, x, labels):
    np.save(folder / "x.npy", x)
    return qs.StoredArray(folder / "x.npy", labels)


def test_tasks_are_those_of_the_array_in_memory(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (40, 3, 8, 8), dtype=np.uint8)
    labels = [f"class {i % 8}" for i in range(40)]
    there = qs.Episodes.from_dataset(stored(tmp_path, x, labels), 5, 1, 2, cache=False, threads=2, rotate=True)
    here = qs.Episodes(qs.ClassDataset.from_labels(torch.from_numpy(x), labels), 5, 1, 2, rotate=True)
    for step in range(3):
        a, b = there.sample(step, 4), here.sample(step, 4)
        assert torch.equal(a.support.x, b.support.x)
        assert torch.equal(a.query.x, b.query.x)


def test_a_damaged_block_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr("quickstudy.inputs.stored._BLOCK", 1000)
    data = stored(tmp_path, np.zeros((100, 8)), [0] * 100)
    data.seal()
    assert data.check() == []
    with (tmp_path / "x.npy").open("r+b") as file:
        file.seek(2500)
        file.write(b"\1")
    assert data.check() == [2]


def test_files_that_do_not_fit_are_refused(tmp_path):
    np.save(tmp_path / "columns.npy", np.asfortranarray(np.ones((4, 3))))
    np.save(tmp_path / "long.npy", np.ones((4, 3), np.longdouble))
    for path, labels, words in [
        (tmp_path / "columns.npy", "abcd", "by columns"),
        (stored(tmp_path, np.ones((4, 3)), "abcd").path, "abc", "4 inputs, but there are 3 labels"),
        (tmp_path / "none.npy", "abc", "cannot be read"),
        (tmp_path / "long.npy", "abcd", "which torch lacks; convert them to float64"),
    ]:
        with pytest.raises(DataError, match=words):
            qs.StoredArray(path, list(labels))


def test_memory_does_not_grow_with_a_file_of_12_gigabytes(tmp_path):
    """The file is sparse: it takes no room on the disk."""
    labels = np.arange(GIANT[0]) // 1200
    np.lib.format.open_memmap(tmp_path / "x.npy", mode="w+", dtype=np.uint8, shape=GIANT).flush()
    assert (tmp_path / "x.npy").stat().st_size > 12e9
    before = resident()
    tasks = qs.Episodes.from_dataset(qs.StoredArray(tmp_path / "x.npy", labels), 5, 5, 15, cache=False)
    for step in range(5):
        assert tasks.sample(step, 4).query.x.shape == (4, 75, 3, 84, 84)
    assert resident() - before < 400


def resident() -> float:
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmRSS"))


def test_an_array_that_was_cut_off_is_reported_by_block(tmp_path, monkeypatch):
    monkeypatch.setattr("quickstudy.inputs.stored._BLOCK", 1000)
    data = stored(tmp_path, np.zeros((100, 8)), [0] * 100)
    sums = data.seal()
    with (tmp_path / "x.npy").open("r+b") as file:
        file.truncate(4000)
    assert data.check() == [4, 5, 6]
    for damaged in ("[]", '{"sha256": []}', "{"):
        sums.write_text(damaged)
        with pytest.raises(ModelError, match="sha256"):
            data.check()


@pytest.mark.parametrize("dtype", [">f4", ">u2", "<f8"])
def test_inputs_of_any_order_of_bytes_are_read(tmp_path, dtype):
    x = np.arange(8).reshape(4, 2).astype(dtype)
    data = stored(tmp_path, x, list("aabb"))
    assert [data[i][0].tolist() for i in range(4)] == x.tolist()


class Column(UserDict):
    """Labels whose ``[i]`` goes by key, as in a filtered column of pandas."""

    def __iter__(self):
        return iter(self.data.values())


def test_labels_go_by_place_not_by_key(tmp_path):
    data = stored(tmp_path, np.zeros((4, 2)), Column({40: "a", 41: "a", 0: "b", 1: "b"}))
    assert [data[i][1] for i in range(4)] == list("aabb")
    data = stored(tmp_path, np.arange(8.0).reshape(4, 2), [("a", 1), ("a", 1), ("b", 2), ("b", 2)])
    assert data[3][1] == ("b", 2)
    assert qs.Episodes.from_dataset(data, 2, 1, 1).sample(0, 1).support.x.shape == (1, 2, 2)


def test_a_file_that_is_gone_or_another_is_named(tmp_path):
    data = stored(tmp_path, np.zeros((4, 2)), list("aabb"))
    sums, kept = data.seal(), data.path.read_bytes()
    before = sums.read_bytes()
    data.path.write_bytes(kept[:-1])
    with pytest.raises(DataError, match="of the size in its header"):
        data.seal()
    np.save(data.path, np.zeros((3, 2)))
    with pytest.raises(DataError, match="holds another array than when it was opened; open it again"):
        data.seal()
    data.path.unlink()
    for call in data.seal, data.check, lambda: copy.copy(data):
        with pytest.raises(DataError, match=r"x\.npy' cannot be read"):
            call()
    assert sums.read_bytes() == before


def test_copies_and_other_processes_open_the_file_again(tmp_path):
    data = stored(tmp_path, np.arange(8.0).reshape(4, 2), list("aabb"))
    for other in copy.deepcopy(data), pickle.loads(pickle.dumps(data)):
        assert other[3][0].tolist() == [6, 7]
        assert other.targets == data.targets
        assert other._file is not data._file
    loader = DataLoader(data, batch_size=4, num_workers=1, multiprocessing_context="spawn")
    [(x, labels)] = loader
    assert x.tolist() == [[0, 1], [2, 3], [4, 5], [6, 7]]
    assert list(labels) == list("aabb")


def test_inputs_are_read_without_preadv_as_with_it(tmp_path, monkeypatch):
    data = stored(tmp_path, np.arange(8.0).reshape(4, 2), list("aabb"))
    expected = [data[i][0].tolist() for i in range(4)]
    monkeypatch.delattr(os, "preadv")  # Windows has none
    assert [data[i][0].tolist() for i in range(4)] == expected
    data.path.write_bytes(data.path.read_bytes()[:-1])
    with pytest.raises(DataError, match="became shorter"):
        data[3]
