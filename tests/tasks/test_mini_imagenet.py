import csv
import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy.errors import DataError, SettingError
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.mini_imagenet import mini_imagenet

LABELS = {"train": ["n03", "n01"], "val": ["n04"], "test": ["n02", "n05"]}


def level(name: str) -> int:
    """A level of grey of each picture's own, from its name such as n03_1.jpg."""
    return int(name[1:3]) * 40 + int(name[4])


def write_table(path: Path, rows: list[list[str]]) -> None:
    with path.open("w", newline="") as file:
        csv.writer(file).writerows(rows)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "mini"
    (root / "images").mkdir(parents=True)
    for split, labels in LABELS.items():
        rows = [[f"{label}_{i}.jpg", label] for i in (1, 0, 2) for label in labels]
        write_table(root / f"{split}.csv", [["filename", "label"], *rows])
        for name, _ in rows:
            Image.new("RGB", (50, 37), (level(name), 7, 9)).save(root / "images" / name, quality=95)
    return root


def append(path: Path, *row: str) -> None:
    with path.open("a", newline="") as file:
        csv.writer(file).writerow(row)


def test_splits_are_the_tables(root):
    splits = mini_imagenet(root)
    assert [data.names for data in splits] == [("n01", "n03"), ("n04",), ("n02", "n05")]
    assert splits.train.x.shape == (6, 3, 84, 84)
    assert splits.train.x.dtype == torch.uint8
    assert Episodes(splits.test, n_way=2, n_shot=1, n_query=2).sample(0, 1).query.x.shape == (1, 4, 3, 84, 84)


def test_pictures_are_in_the_order_of_the_rows(root):
    reds = mini_imagenet(root, size=8).train.x[:, 0].float().mean((1, 2))
    expected = torch.tensor([level(f"{label}_{i}.jpg") for label in ("n01", "n03") for i in (1, 0, 2)])
    assert (reds - expected).abs().max() <= 2


def test_pictures_are_resized_by_lanczos(root):
    noise = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    Image.fromarray(noise).save(root / "images" / "n04_1.jpg", "PNG")
    expected = np.asarray(Image.fromarray(noise).resize((84, 84), Image.Resampling.LANCZOS)).transpose(2, 0, 1)
    assert np.array_equal(mini_imagenet(root).validation.x[0].numpy(), expected)


def test_the_default_folder_is_in_the_data_folder(root, cache):
    cache.mkdir()
    root.rename(cache / "mini_imagenet")
    assert mini_imagenet(size=4).test.n_classes == 2


def test_a_table_may_have_a_mark_at_its_start_crlf_and_more_columns(root):
    text = "label,filename,note\r\n" + "".join(f"n04,n04_{i}.jpg,x\r\n" for i in range(3)) + "\r\n"
    (root / "val.csv").write_text(text, encoding="utf-8-sig", newline="")
    assert mini_imagenet(root, size=4).validation.counts.tolist() == [3]


def test_the_second_call_reads_the_cache_until_a_picture_changes(root, cache):
    first = mini_imagenet(root, size=4)
    kept = sorted(cache.rglob("*.safetensors"))
    assert len(kept) == 3
    times = [path.stat().st_mtime_ns for path in kept]
    again = mini_imagenet(root, size=4)
    assert torch.equal(again.train.x, first.train.x)
    assert again.train.names == first.train.names
    assert [path.stat().st_mtime_ns for path in kept] == times
    assert mini_imagenet(root, size=5).train.x.shape[-1] == 5
    Image.new("RGB", (10, 10), "white").save(root / "images" / "n04_1.jpg")
    assert mini_imagenet(root, size=4).validation.x[0].min() >= 250


class Canary:
    def __reduce__(self):
        return Path.touch, (Path("canary"),)


@pytest.mark.parametrize("given", ["folder", "file"])
def test_pickles_are_refused_and_never_run(tmp_path, monkeypatch, given):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "pickles" / "mini-imagenet-cache-train.pkl"
    path.parent.mkdir()
    path.write_bytes(pickle.dumps(Canary()))
    with pytest.raises(DataError, match=r"cache-train\.pkl' is a pickle, which is code.*put train\.csv"):
        mini_imagenet(path if given == "file" else path.parent)
    assert not Path("canary").exists()


def test_missing_data_says_what_to_put_where(root, cache):
    with pytest.raises(DataError, match=r"cache/mini_imagenet' \(no train\.csv, val\.csv, test\.csv, images/\): put"):
        mini_imagenet()
    (root / "val.csv").unlink()
    with pytest.raises(DataError, match=r"mini' \(no val\.csv\): put"):
        mini_imagenet(root)


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda r: write_table(r / "val.csv", [["filename", "class"]]), r"val\.csv' row 1 has no column 'label'"),
        (lambda r: write_table(r / "val.csv", [["n04_1.jpg", "n04"]]), r"val\.csv' row 1 has no column 'filename'"),
        (lambda r: (r / "val.csv").write_text(""), r"val\.csv' row 1 has no column 'filename'"),
        (lambda r: write_table(r / "val.csv", [["filename", "label"]]), r"val\.csv' has no rows"),
        (lambda r: (r / "val.csv").write_bytes(b"filename,label\n\xff\xfe,a\n"), r"val\.csv' cannot be read"),
        (
            lambda r: append(r / "val.csv", "gone.jpg", "n04"),
            r"val\.csv' row 5: image 'gone\.jpg' is not in .*images",
        ),
        (lambda r: append(r / "val.csv", "", "n04"), r"val\.csv' row 5 has no filename"),
        (lambda r: append(r / "val.csv", "n04_1.jpg"), r"val\.csv' row 5 has no label"),
        (
            lambda r: append(r / "val.csv", "n04_0.jpg", "n04"),
            r"row 5: image 'n04_0\.jpg' is also in .*val\.csv' row 3",
        ),
        (
            lambda r: append(r / "test.csv", "n03_0.jpg", "n02"),
            r"test\.csv' row 8: picture .* also in .*train\.csv' row 4",
        ),
        (lambda r: append(r / "val.csv", "../val.csv", "n04"), r"row 5: image '\.\./val\.csv' is not in"),
        (lambda r: append(r / "val.csv", str(r / "val.csv"), "n04"), r"row 5: image '.*' is not in"),
        (lambda r: append(r / "val.csv", "a" * 999, "n04"), r"val\.csv'"),
        (lambda r: append(r / "val.csv", "a" * 200_000, "n04"), r"val\.csv' cannot be read as a table"),
        (lambda r: (r / "images" / "n04_1.jpg").write_text("<html>"), r"images/n04_1\.jpg' is not a PNG"),
    ],
)
def test_a_fault_is_one_line_that_names_file_and_row(root, spoil, what):
    spoil(root)
    with pytest.raises(DataError, match=what) as caught:
        mini_imagenet(root)
    assert "\n" not in str(caught.value)


def test_a_label_in_two_splits_is_named(root):
    Image.new("RGB", (8, 8)).save(root / "images" / "new.jpg")
    append(root / "test.csv", "new.jpg", "n03")
    with pytest.raises(DataError, match=r"test\.csv' row 8: label 'n03' is also in .*train\.csv' row 2"):
        mini_imagenet(root)


def test_size_is_checked(root):
    with pytest.raises(SettingError, match="size is 1 or more"):
        mini_imagenet(root, size=0)
