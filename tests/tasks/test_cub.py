"""CUB is cut by the numbers of its classes, as its few-shot authors cut it."""

import shutil

import pytest
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.tasks.cub import Cub, cub
from quickstudy.testing import check_source


def name(number: int) -> str:
    return f"{number:03}.Bird_{number}"


@pytest.fixture
def root(tmp_path, monkeypatch):
    """Two photographs of each of the 200 classes, whose red is the class's number."""
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))
    for number in range(1, 201):
        folder = tmp_path / "cub" / "CUB_200_2011" / "images" / name(number)
        folder.mkdir(parents=True)
        for i in range(2):
            Image.new("RGB", (9, 6), (number, i, 0)).save(folder / f"{i}.png")
    (tmp_path / "cub" / "CUB_200_2011" / "classes.txt").write_text("1 001.Bird_1\n")
    return tmp_path / "cub"


def test_classes_are_cut_by_their_numbers(root):
    splits = cub(root, size=8)
    assert splits.train.names == tuple(name(k) for k in range(1, 201, 2))
    assert splits.validation.names == tuple(name(k) for k in range(2, 201, 4))
    assert splits.test.names == tuple(name(k) for k in range(4, 201, 4))
    for data in splits:
        assert data.x.shape[1:] == (3, 8, 8)
        assert data.x[:, 0, 0, 0].tolist() == [int(each[:3]) for each in data.names for _ in range(2)]
        assert data.x[:, 1, 0, 0].tolist() == [0, 1] * data.n_classes


def test_the_folder_itself_may_be_given_and_the_source_keeps_the_laws(root):
    assert cub(root / "CUB_200_2011", size=8).test.n_classes == 50
    check_source(Cub(root))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda images: shutil.rmtree(images / name(7)), r"images' has 199 classes, but CUB-200-2011 has 200"),
        (
            lambda images: (images / name(7)).rename(images / "7.Bird"),
            r"has 200 classes, .* from 001\. to 200\.",
        ),
        (lambda images: (images / name(7) / "1.png").write_text("no image"), r"007\.Bird_7/1\.png' is not a PNG"),
        (lambda images: [path.unlink() for path in (images / name(7)).iterdir()], r"007\.Bird_7' holds no images"),
        (shutil.rmtree, r"no CUB-200-2011 in '.*/cub': put the folder images/ of CUB_200_2011\.tgz there"),
    ],
)
def test_a_fault_is_one_line(root, spoil, what):
    spoil(root / "CUB_200_2011" / "images")
    with pytest.raises(DataError, match=what) as caught:
        cub(root, size=8)
    assert "\n" not in str(caught.value)
