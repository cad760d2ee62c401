"""A source is its splits, which never meet, and its inputs; data that is missing says where it goes."""

import csv

import numpy as np
import pytest
from PIL import Image

from quickstudy.errors import DataError, SettingError
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.tasks.source import ClassSource
from quickstudy.tasks.sources import SOURCES, source
from quickstudy.testing import check_source

LARGE = ("clinc150", "cifar-fs", "fc100", "cub", "meta-album", "tiered-imagenet")
"""Sources that are held to the laws in tests of their own."""
CLASSES = [name for name, cls in SOURCES.items() if issubclass(cls, ClassSource)]


def write(path, columns, rows):
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([columns, *rows])
    return path


@pytest.fixture
def roots(tmp_path, pictures, mini):
    """A folder or file for each source that reads some; the others need none."""
    omniglot = tmp_path / "omniglot"
    for part, alphabets in (("images_background", range(10)), ("images_evaluation", range(10, 12))):
        for a in alphabets:
            folder = omniglot / part / f"Alphabet_{a}" / "character01"
            folder.mkdir(parents=True)
            Image.new("1", (105, 105), 1).save(folder / "0001_01.png")
    text = write(tmp_path / "text.csv", ["text", "label"], [(f"{word} {i}", word) for word in "abcde" for i in "12"])
    table = write(tmp_path / "table.csv", ["width", "label"], [(c, f"kind {c % 5}") for c in range(20)])
    return {"folders": pictures, "omniglot": omniglot, "mini-imagenet": mini, "text": text, "table": table}


@pytest.mark.parametrize("name", [name for name in CLASSES if name not in LARGE])
def test_every_source_keeps_the_laws(roots, name):
    if SOURCES[name].kind is Sentences:
        pytest.importorskip("sentence_transformers")
    check_source(source(name, data_root=roots.get(name), glyph_classes=5, seed=3))


def test_a_name_that_is_not_a_source_is_refused_with_the_nearest():
    with pytest.raises(SettingError, match="unknown source 'glyfs': did you mean 'glyphs'"):
        source("glyfs")


def test_digits_are_for_the_test_alone():
    splits = source("digits").load().splits
    assert [data.n_classes for data in splits] == [0, 0, 10]


def test_folders_are_read_in_the_format_asked_for_or_in_a_runs_own(pictures):
    splits, images = source("folders", data_root=pictures, channels=3, image_size=20, ink=False).load()
    assert images == Images(3, 20, ink=False)
    assert splits.train.x.shape[1:] == (3, 20, 20)
    assert source("folders", data_root=pictures, inputs=Images(size=16), image_size=20).load().inputs == Images(size=16)


def test_omniglot_is_cut_as_asked(roots):
    background = source("omniglot", data_root=roots["omniglot"]).load().splits
    assert [data.n_classes for data in background] == [9, 1, 2]
    with pytest.raises(DataError, match="1623"):
        source("omniglot", data_root=roots["omniglot"], split="random").load()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("omniglot", ["images_background.zip", "`quickstudy tasks omniglot --download`"]),
        ("mini-imagenet", ["train.csv", "images/"]),
        ("cifar-fs", ["cifar-100-binary.tar.gz", "`quickstudy tasks cifar-fs --download`"]),
        ("fc100", ["cifar-100-binary.tar.gz", "`quickstudy tasks cifar-fs --download`"]),
        ("cub", ["images/ of CUB_200_2011.tgz"]),
        ("meta-album", ["labels.csv", "images/"]),
        ("tiered-imagenet", ["n01440764", "train, val and test"]),
        ("folders", ["CLASS/IMAGE"]),
        ("clinc150", ["`quickstudy tasks clinc150 --download`"]),
    ],
)
def test_missing_data_says_where_to_put_what(tmp_path, name, words):
    with pytest.raises(DataError) as caught:
        source(name, data_root=tmp_path / "empty").load()
    for word in (str(tmp_path / "empty"), *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["folders", "text", "table"])
def test_your_own_data_need_a_place(name):
    with pytest.raises(DataError, match="give it as data_root"):
        source(name).load()


def test_shared_omniglot_as_its_authors_cut_it(shared):
    splits, images = source("omniglot", data_root=shared).load()
    assert [data.n_classes for data in splits] == [828, 136, 659]
    assert images == Images(channels=1, size=28)
    assert np.mean(splits.test.x.numpy() > 127) < 0.2, "ink is bright on dark"
