"""Folders of images: one folder per class, alone or in groups; another layout is refused in one line."""

from pathlib import Path

import pytest
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.inputs import layout
from quickstudy.inputs.layout import find_classes, image_files, is_image_name, left_out


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
    draw(pets / "__MACOSX" / "._a.png")
    draw(pets / "__MACOSX" / "dogs" / "b.png")
    assert counts(pets) == {"dogs": 3, "cats": 2}
    assert left_out(pets / "cats") is None


def test_a_class_folder_may_be_a_link(pets, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    draw(elsewhere / "a.png")
    (pets / "birds").symlink_to(elsewhere)
    assert counts(pets) == {"birds": 1, "cats": 2, "dogs": 3}


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
    [
        ("a.png", True),
        ("A.JPEG", True),
        ("a.webp", True),
        ("a.TIF", True),
        ("a.gif", True),
        ("a.bmp", True),
        ("a.heic", True),
        ("a.png.txt", False),
        ("png", False),
        ("a photo.", False),
    ],
)
def test_an_image_is_known_by_the_end_of_its_name(name, image):
    assert is_image_name(name) == image


@pytest.mark.parametrize(
    "names",
    [
        ("train", "test"),
        ("Train", "val", "TEST"),
        ("validation", "valid"),
        ("training", "testing"),
        ("train", "test", "more"),
    ],
)
def test_splits_of_the_same_classes_are_refused(tmp_path, names):
    for name in names:
        draw(tmp_path / name / "cat" / "a.png")
        draw(tmp_path / name / f"only in {name}" / "a.png")
    first = next((name for name in names if name.lower().startswith("train")), sorted(names)[0])
    with pytest.raises(DataError, match=rf"holds the splits .* \(cat\); give one of them, such as '.*{first}'$"):
        find_classes(tmp_path)
    assert counts(tmp_path / names[0]) == {"cat": 1, f"only in {names[0]}": 1}


@pytest.mark.parametrize("names", [("train",), ("train", "more"), ("ink", "pencil")])
def test_groups_of_other_names_may_hold_classes_of_the_same_name(tmp_path, names):
    for name in names:
        draw(tmp_path / name / "cat" / "a.png")
    assert sorted(counts(tmp_path)) == sorted(f"{name}/cat" for name in names)


def test_splits_of_different_classes_are_groups(tmp_path):
    draw(tmp_path / "train" / "cat" / "a.png")
    draw(tmp_path / "test" / "dog" / "a.png")
    assert sorted(counts(tmp_path)) == ["test/dog", "train/cat"]


def test_what_is_left_out_is_counted_and_named_by_kind(pets, monkeypatch):
    assert left_out(pets) is None
    for name in ("dogs/a.HEIC", "dogs/b.heic", "dogs/c.heic", "cats/d.heic", "cats/e.heic", "about", "cats/x.mov"):
        (pets / name).write_bytes(b"content")
    (pets / "cats" / ".hidden").write_text("hidden")
    assert (
        left_out(pets) == f"'{pets}': left out, not images that can be read: 1 .mov (x.mov); 1 without suffix (about)"
    )
    monkeypatch.setattr(layout, "has_heic", lambda: False)
    assert left_out(pets) == (
        f"'{pets}': left out, not images that can be read: "
        "5 .heic (d.heic, e.heic, a.HEIC and 2 more); 1 .mov (x.mov); "
        "1 without suffix (about); for HEIC, pip install 'quickstudy[photos]'"
    )
    assert counts(pets) == {"dogs": 3, "cats": 2}
    only = pets / "more" / "birds"
    only.mkdir(parents=True)
    (only / "a.heic").write_bytes(b"content")
    with pytest.raises(DataError, match=r"holds no images.*1 \.heic \(a\.heic\); for HEIC, pip install 'quickstudy"):
        find_classes(pets / "more")


def test_folders_inside_a_folder_of_images_are_left_out(pets):
    assert left_out(pets, deep=False).endswith("can be read: 2 folders (cats, dogs)")
