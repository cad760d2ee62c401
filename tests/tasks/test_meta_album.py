"""A data set of Meta-Album is a table and a folder of images; its classes are shuffled by the seed."""

import pytest
from PIL import Image

from quickstudy.errors import DataError, NotEnoughClasses
from quickstudy.tasks.meta_album import MetaAlbum, meta_album
from quickstudy.testing import check_source

CATEGORIES = [f"insect {k}" for k in range(10)]


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Ten classes of three images, whose red is the class's number; file names are in no order of classes."""
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))
    root = tmp_path / "insects"
    (root / "images").mkdir(parents=True)
    rows = ["FILE_NAME,CATEGORY,SUPER_CATEGORY"]
    for i in range(30):
        rows.append(f"{i * 7 % 30:02}.jpg,{CATEGORIES[i % 10]},insects")
        Image.new("RGB", (128, 128), (i % 10 * 20, 0, 0)).save(root / "images" / f"{i * 7 % 30:02}.jpg", quality=95)
    (root / "labels.csv").write_text("\n".join(rows))
    (root / "info.json").write_text('{"dataset_name": "insects"}')
    return root


def test_the_table_says_the_classes_and_the_seed_cuts_them(root):
    splits = meta_album(root)
    assert [data.n_classes for data in splits] == [6, 2, 2]
    assert sorted(sum((data.names for data in splits), ())) == CATEGORIES
    for data in splits:
        assert data.x.shape[1:] == (3, 128, 128)
        expected = [20 * int(name[-1]) for name in data.names for _ in range(3)]
        assert [round(red / 20) * 20 for red in data.x[:, 0, 5, 5].tolist()] == expected
    assert len({meta_album(root, size=8, seed=seed).test.names for seed in (0, 0, 1, 2)}) in (2, 3)


def test_the_source_keeps_the_laws(root):
    check_source(MetaAlbum(root, seed=3))


def test_images_may_lie_beside_the_table_whose_columns_may_be_cut_by_tabs(root):
    for path in (root / "images").iterdir():
        path.rename(root / path.name)
    (root / "images").rmdir()
    before = (root / "labels.csv").read_text()
    first = meta_album(root, size=8).test.names
    (root / "labels.csv").write_text(before.replace(",", "\t"))
    assert meta_album(root, size=8).test.names == first


@pytest.mark.parametrize(
    ("table", "what"),
    [
        ("FILE_NAME,KIND\n00.jpg,bee\n", r"labels\.csv' row 1 has no column 'CATEGORY'; it needs FILE_NAME,CATEGORY"),
        ("FILE_NAME,CATEGORY\ngone.jpg,bee\n", r"row 2: image 'gone\.jpg' is not in '.*images'; put it there"),
        ("FILE_NAME,CATEGORY\n../labels.csv,bee\n", r"row 2: image '\.\./labels\.csv' is not in"),
        ("FILE_NAME,CATEGORY\n00.jpg,\n", r"row 2 has no CATEGORY; complete or remove it"),
        ("FILE_NAME,CATEGORY\n00.jpg,bee\n00.jpg,wasp\n", r"row 3: image '00\.jpg' is also in .* row 2"),
        ("", r"row 1 has no column 'FILE_NAME'"),
    ],
)
def test_a_fault_is_one_line_that_names_the_row(root, table, what):
    (root / "labels.csv").write_text(table)
    with pytest.raises(DataError, match=what) as caught:
        meta_album(root)
    assert "\n" not in str(caught.value)


def test_missing_data_and_too_few_classes_are_refused(root, tmp_path):
    with pytest.raises(DataError, match=r"no labels\.csv in '.*empty': put one data set of Meta-Album there"):
        meta_album(tmp_path / "empty")
    (root / "labels.csv").write_text("FILE_NAME,CATEGORY\n00.jpg,bee\n01.jpg,wasp\n")
    with pytest.raises(NotEnoughClasses):
        meta_album(root)
