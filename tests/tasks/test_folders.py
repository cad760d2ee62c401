from pathlib import Path

import pytest
import torch
from PIL import Image

from quickstudy.errors import DataError, NotEnoughClasses, SettingError
from quickstudy.inputs.images import Images, read_image
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.folders import folders, read_folder

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


def test_each_image_is_as_read_image_gives_it(pets):
    format = Images(channels=3, size=5, ink=True)
    data = read_folder(pets, format)
    assert torch.equal(data.x[2], torch.from_numpy(read_image(pets / "dogs" / "0.png", format)))


def test_classes_may_lie_in_groups(pets):
    draw(pets / "birds" / "owl" / "a.webp")
    draw(pets / "birds" / "jay" / "a.JPG")
    assert read_folder(pets, FORMAT).names == ("birds/jay", "birds/owl", "cats", "dogs")


def test_other_and_hidden_files_are_ignored(pets):
    for name in ("notes.txt", "dogs/notes.txt", "dogs/._0.png", "dogs/Thumbs.db", ".git/config", ".hidden.png"):
        (pets / name).parent.mkdir(exist_ok=True)
        (pets / name).write_text("not an image")
    assert read_folder(pets, FORMAT).counts.tolist() == [2, 3]


def test_a_name_may_hold_spaces_and_any_letters(tmp_path):
    draw(tmp_path / "三毛 猫" / "一 匹.png")
    assert read_folder(tmp_path, FORMAT).names == ("三毛 猫",)


def test_episodes_run_on_it(pets):
    tasks = Episodes(read_folder(pets, FORMAT), n_way=2, n_shot=1, n_query=1).sample(0, 2)
    assert tasks.support.x.shape == (2, 2, 1, 8, 8)


@pytest.mark.parametrize(
    ("prepare", "what"),
    [
        (lambda path: None, "holds no class folders; the layout is CLASS/IMAGE"),
        (lambda path: path.rmdir(), "cannot be read: No such file or directory; the layout is CLASS/IMAGE"),
        (lambda path: (path.rmdir(), path.write_text("a")), "cannot be read: Not a directory"),
        (lambda path: draw(path / "a.png"), r"a\.png' lies in no class folder; the layout is CLASS/IMAGE"),
        (lambda path: (draw(path / "a.png"), draw(path / "c" / "a.png")), r"a\.png' lies in no class folder"),
        (lambda path: (path / "cats").mkdir(), "class folder '.*cats' holds no images"),
        (lambda path: (draw(path / "birds/owl/a.png"), (path / "birds/jay").mkdir()), "'.*jay' holds no images"),
        (lambda path: draw(path / "a" / "b" / "c" / "d.png"), "'.*a/b' holds no images"),
        (lambda path: (draw(path / "cats/a.png"), draw(path / "cats/tom/a.png")), "'.*cats' holds both"),
    ],
    ids=["empty", "missing", "file", "loose", "loose beside", "no image", "no image in a group", "deep", "both"],
)
def test_another_layout_is_one_line_that_says_the_expected_one(tmp_path, prepare, what):
    path = tmp_path / "images"
    path.mkdir()
    prepare(path)
    with pytest.raises(DataError, match=what) as caught:
        read_folder(path, FORMAT)
    assert "GROUP/CLASS/IMAGE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_corrupt_image_is_named(pets):
    (pets / "dogs" / "1.png").write_text("no image")
    with pytest.raises(DataError, match=r"dogs/1\.png' is not a PNG"):
        read_folder(pets, FORMAT)


@pytest.fixture
def ten(tmp_path):
    for c in "abcdefghij":
        draw(tmp_path / c / "a.png", ord(c))
    return tmp_path


def test_fractions_of_the_classes_never_meet(ten):
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


def test_a_class_in_two_split_folders_is_named(tmp_path):
    for split in ("train", "val", "test"):
        draw(tmp_path / split / f"c{split}" / "a.png")
        draw(tmp_path / split / "cats" / "a.png") if split != "val" else None
    with pytest.raises(DataError, match="class 'cats' is in train and in test"):
        folders(tmp_path, FORMAT)


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
    with pytest.raises(NotEnoughClasses, match=r"has 2 classes, of which a fraction of 0\.2 for validation"):
        folders(pets, FORMAT, (0.4, 0.2, 0.4))


@pytest.mark.parametrize("sizes", [(0.5, 0.5), (0.5, 0.6, -0.1), (0.5, 0.5, 0.5), (float("nan"), 0.5, 0.5), (6, 2, 2)])
def test_fractions_are_checked(ten, sizes):
    with pytest.raises(SettingError, match="three fractions"):
        folders(ten, FORMAT, sizes)
