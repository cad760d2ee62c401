"""Arrays in a file that may be larger than memory."""

from pathlib import Path

import numpy as np
import pytest
import torch

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
    for path, labels, words in [
        (tmp_path / "columns.npy", "abcd", "by columns"),
        (stored(tmp_path, np.ones((4, 3)), "abcd").path, "abc", "4 inputs, but there are 3 labels"),
        (tmp_path / "none.npy", "abc", "cannot be read"),
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
