"""tiered-ImageNet is the published list of classes, from ImageNet's folders or from its own."""

import re
import shutil

import pytest
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.tasks.splits import Splits
from quickstudy.tasks.tiered_imagenet import TieredImageNet, categories, tiered_imagenet
from quickstudy.testing import check_source

LISTS = {name: " ".join(each.values()).split() for name, each in categories().items()}
ALL = [name for names in LISTS.values() for name in names]


def draw(folder, level):
    folder.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (9, 6), (level, 0, 0)).save(folder / "0.JPEG", quality=95)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def imagenet(tmp_path):
    """One image of each class in ImageNet's own layout: a training part, and a validation part of other images."""
    for name in [*ALL, "n99999999"]:
        draw(tmp_path / "imagenet" / "train" / name, 200)
        draw(tmp_path / "imagenet" / "val" / name, 50)
    return tmp_path / "imagenet"


def test_the_list_has_the_published_sizes():
    """Ren et al. 2018, table 1 and section 4.1.3: 608 classes, 34 categories of 10 to 30 classes, 20/6/8 of them."""
    assert {name: (len(LISTS[name]), len(each)) for name, each in categories().items()} == {
        "train": (351, 20),
        "validation": (97, 6),
        "test": (160, 8),
    }
    assert len(set(ALL)) == 608
    assert len({category for each in categories().values() for category in each}) == 34
    assert all(10 <= len(classes.split()) <= 30 for each in categories().values() for classes in each.values())
    assert all(re.fullmatch(r"n\d{8}", name) for name in ALL)


def check(splits: Splits) -> None:
    for name, data in splits._asdict().items():
        assert data.names == tuple(sorted(LISTS[name]))
        assert data.x.shape == (len(LISTS[name]), 3, 8, 8)
        assert (data.x[:, 0] > 150).all(), "images are from the training part"


def test_imagenets_training_part_is_cut_by_the_list(imagenet):
    check(tiered_imagenet(imagenet, size=8))
    check(tiered_imagenet(imagenet / "train", size=8))


def test_its_own_folders_are_read_and_the_source_keeps_the_laws(tmp_path):
    for split, inside in (("train", "train"), ("validation", "val"), ("test", "test")):
        for name in LISTS[split]:
            draw(tmp_path / "tiered" / inside / name, 200)
    check(tiered_imagenet(tmp_path / "tiered", size=8))
    check_source(TieredImageNet(tmp_path / "tiered"))


@pytest.mark.parametrize(
    ("spoil", "what"),
    [
        (lambda train: shutil.rmtree(train / "n04208210"), r"no class folder 'n04208210' in '.*train': put"),
        (lambda train: shutil.rmtree(train / "n04467665"), r"no class folder 'n04467665' in '.*train': put"),
        (lambda train: (train / "n04208210" / "0.JPEG").unlink(), r"n04208210' holds no images; fill it"),
        (lambda train: (train / "n04208210" / "0.JPEG").write_text("x"), r"n04208210/0\.JPEG' is not a PNG"),
        (lambda train: shutil.rmtree(train.parent), r"no class folder 'n01530575' in '.*imagenet': put"),
    ],
)
def test_a_fault_is_one_line(imagenet, spoil, what):
    spoil(imagenet / "train")
    with pytest.raises(DataError, match=what) as caught:
        tiered_imagenet(imagenet, size=8)
    assert "\n" not in str(caught.value)
