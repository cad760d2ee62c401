"""Folders of images: one folder per class, alone or in groups; another layout is refused in one line."""

from pathlib import Path

import pytest
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.inputs.layout import find_classes, image_files, is_image_name


def draw(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (20, 12)).save(path)


@pytest.fixture
def pets(tmp_path):
    for name in ("dogs/0.png", "dogs/1.png", "dogs/2.png", "cats/10.png", "cats/11.png"):
        draw(tmp_path / name)
    return tmp_path


def counts(path):
    return {label: len(files) for label, files in find_classes(path).items()}


def test_a_class_is_a_folder_and_its_files_are_sorted(pets):
    assert find_classes(pets)["dogs"] == [pets / "dogs" / f"{i}.png" for i in range(3)]
    assert image_files(pets / "cats") == [pets / "cats" / "10.png", pets / "cats" / "11.png"]
    assert image_files(pets) == []


def test_classes_may_lie_in_groups(pets):
    draw(pets / "birds" / "owl" / "a.webp")
    draw(pets / "birds" / "jay" / "a.JPG")
    assert sorted(counts(pets)) == ["birds/jay", "birds/owl", "cats", "dogs"]


def test_other_and_hidden_files_are_ignored(pets):
    for name in ("notes.txt", "dogs/notes.txt", "dogs/._0.png", "dogs/Thumbs.db", ".git/config", ".hidden.png"):
        (pets / name).parent.mkdir(exist_ok=True)
        (pets / name).write_text("not an image")
    assert counts(pets) == {"dogs": 3, "cats": 2}


def test_a_name_may_hold_spaces_and_any_letters(tmp_path):
    draw(tmp_path / "三毛 猫" / "一 匹.png")
    assert counts(tmp_path) == {"三毛 猫": 1}


@pytest.mark.parametrize(
    ("prepare", "what"),
    [
        (lambda path: None, "holds no class folders; the layout is CLASS/IMAGE"),
        (lambda path: path.rmdir(), "cannot be read: No such file or directory; the layout is CLASS/IMAGE"),
        (lambda path: (path.rmdir(), path.write_text("a")), "cannot be read: Not a directory"),
        (lambda path: draw(path / "a.png"), r"a\.png' is not in a class folder; the layout is CLASS/IMAGE"),
        (lambda path: (draw(path / "a.png"), draw(path / "c" / "a.png")), r"a\.png' is not in a class folder"),
        (lambda path: (path / "cats").mkdir(), "class folder '.*cats' holds no images"),
        (lambda path: (draw(path / "birds/owl/a.png"), (path / "birds/jay").mkdir()), "'.*jay' holds no images"),
        (lambda path: draw(path / "a" / "b" / "c" / "d.png"), "'.*a/b' holds no images"),
        (
            lambda path: (draw(path / "cats/a.png"), draw(path / "cats/tom/a.png")),
            "'.*cats' holds images and folders, so it is neither",
        ),
    ],
    ids=["empty", "missing", "file", "loose", "loose beside", "no image", "no image in a group", "deep", "both"],
)
def test_another_layout_is_one_line_that_says_the_expected_one(tmp_path, prepare, what):
    path = tmp_path / "images"
    path.mkdir()
    prepare(path)
    with pytest.raises(DataError, match=what) as caught:
        find_classes(path)
    assert "GROUP/CLASS/IMAGE" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "image"),
    [("a.png", True), ("A.JPEG", True), ("a.webp", True), ("a.png.txt", False), ("png", False), ("a photo.", False)],
)
def test_an_image_is_known_by_the_end_of_its_name(name, image):
    assert is_image_name(name) == image
