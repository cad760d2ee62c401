import re
import warnings
from pathlib import Path

import pytest
import torch
from PIL import Image

from quickstudy.errors import DataError, NotEnoughClasses, SettingError
from quickstudy.inputs.images import Images
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.folders import Folders, folders, read_folder

FORMAT = Images(size=8, ink=False)


def draw(path: Path, level: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (20, 12), level).save(path)


@pytest.fixture
def pets(tmp_path):
    """Three dogs of level 0, 1, 2 and two cats of 10, 11."""
    for name, levels in {"dogs": range(3), "cats": range(10, 12)}.items():
        for level in levels:
            draw(tmp_path / name / f"{level}.png", level)
    return tmp_path


def test_classes_are_sorted_folders_and_images_sorted_files(pets):
    data = read_folder(pets, FORMAT)
    assert data.names == ("cats", "dogs")
    assert data.counts.tolist() == [2, 3]
    assert data.x.dtype == torch.uint8
    assert data.x.shape == (5, 1, 8, 8)
    assert data.x[:, 0, 0, 0].tolist() == [10, 11, 0, 1, 2]


def test_each_image_is_encoded_and_keeps_its_path(pets):
    format = Images(channels=3, size=5, ink=True)
    data = read_folder(pets, format)
    assert data.items[2].name == str(pets / "dogs" / "0.png")
    assert torch.equal(data.x, format.encode(data.items))


def test_episodes_run_on_it(pets):
    tasks = Episodes(read_folder(pets, FORMAT), n_way=2, n_shot=1, n_query=1).sample(0, 2)
    assert tasks.support.x.shape == (2, 2, 1, 8, 8)


def test_a_corrupt_image_is_named(pets):
    (pets / "dogs" / "1.png").write_text("no image")
    with pytest.raises(DataError, match=r"dogs/1\.png' is not a PNG"):
        read_folder(pets, FORMAT)


@pytest.fixture
def ten(tmp_path):
    for c in "abcdefghij":
        draw(tmp_path / c / "a.png", ord(c))
    return tmp_path


def test_shares_of_the_classes_never_meet(ten):
    splits = folders(ten, FORMAT)
    assert [data.n_classes for data in splits] == [6, 2, 2]
    assert sorted(sum((data.names for data in splits), ())) == list("abcdefghij")
    for data in splits:
        assert data.x[:, 0, 0, 0].tolist() == [ord(name) for name in data.names]


def test_the_seed_chooses_the_split(ten):
    drawn = {folders(ten, FORMAT, seed=seed).test.names for seed in (0, 0, 1, 2)}
    assert 2 <= len(drawn) <= 3
    assert folders(ten, FORMAT, (0, 0, 1)).test.n_classes == 10


@pytest.mark.parametrize("n", range(3, 12))
def test_the_counts_add_up_to_all_classes(tmp_path, n):
    for c in range(n):
        draw(tmp_path / str(c) / "a.png")
    assert sum(data.n_classes for data in folders(tmp_path, FORMAT, (1 / 3, 1 / 3, 1 / 3))) == n


@pytest.mark.parametrize("validation", ["validation", "val"])
def test_split_folders_are_the_splits(tmp_path, validation):
    for split, classes in {"train": "ab", validation: "c", "test": "d"}.items():
        for c in classes:
            draw(tmp_path / split / c / "a.png")
    assert [data.names for data in folders(tmp_path, FORMAT)] == [("a", "b"), ("c",), ("d",)]


def test_one_class_may_be_named_test(ten):
    draw(ten / "test" / "a.png")
    assert sum(data.n_classes for data in folders(ten, FORMAT)) == 11


@pytest.mark.parametrize("splits", [("train", "test"), ("train", "val", "test"), ("train", "valid", "test")])
def test_splits_of_the_same_classes_are_refused(tmp_path, splits):
    for split in splits:
        draw(tmp_path / split / f"c{split}" / "a.png")
        draw(tmp_path / split / "cats" / "a.png") if split != "val" else None
    with pytest.raises(DataError, match=r"holds the splits .* of the same classes \(cats\); give .* '.*train'"):
        folders(tmp_path, FORMAT)


def test_files_that_are_no_images_are_named(pets):
    (pets / "dogs" / "notes.txt").write_text("not an image")
    with pytest.warns(UserWarning, match=r"left out, .*1 \.txt \(notes\.txt\)$"):
        folders(pets, FORMAT, (0, 0, 1))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "in colour, but are read as 28 x 28 grey drawings.*channels = 3, image_size = 84 and ink = false"),
        ({"ink": False}, "in colour, but are read as grey; set channels = 3$"),
        ({"channels": 3}, None),
    ],
)
def test_a_warning_says_that_colour_is_lost(tmp_path, settings, words):
    for name in "abc":
        (tmp_path / name).mkdir()
        Image.new("RGB", (20, 20), (200, 60, 10)).save(tmp_path / name / "a.png")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loaded = Folders(tmp_path, **settings).load()
        Folders(tmp_path, inputs=loaded.inputs).load()  # an evaluation does not choose
    said = [str(each.message) for each in caught]
    assert len(said) == (words is not None)
    assert words is None or re.search(words, said[0])


@pytest.mark.parametrize(
    ("there", "what"),
    [
        (("train", "test"), "no folders for validation.*named validation or val"),
        (("train", "val"), "no folders for test"),
        (("train", "val", "validation", "test"), "2 folders for validation"),
    ],
)
def test_split_folders_are_all_three_or_none(tmp_path, there, what):
    for split in there:
        draw(tmp_path / split / split / "a.png")
    with pytest.raises(DataError, match=what):
        folders(tmp_path, FORMAT)


def test_a_split_that_comes_to_no_class_is_named(pets):
    with pytest.raises(NotEnoughClasses, match="a split into 1/1/1 classes needs 3, but there are 2; lower the sizes"):
        folders(pets, FORMAT, (0.4, 0.2, 0.4))


@pytest.mark.parametrize("sizes", [(0.5, 0.5), (0.5, 0.6, -0.1), (0.5, 0.5, 0.5), (float("nan"), 0.5, 0.5), (6, 2, 2)])
def test_shares_are_checked(ten, sizes):
    with pytest.raises(SettingError, match="give three shares of 0 or more that add up to 1"):
        folders(ten, FORMAT, sizes)
