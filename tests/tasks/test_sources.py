"""A source is its splits, which never meet, and the format of their images; data that is missing says where it goes."""

from itertools import combinations

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.inputs.images import Images
from quickstudy.runs.settings import choices
from quickstudy.tasks.sources import load

IMAGES = [name for name in choices("data") if name not in ("sinusoid", "clinc150", "text", "table")]


@pytest.fixture
def roots(tmp_path, pictures, mini):
    """A folder for each source that reads files; the others need none."""
    omniglot = tmp_path / "omniglot"
    for part, alphabets in (("images_background", range(10)), ("images_evaluation", range(10, 12))):
        for a in alphabets:
            folder = omniglot / part / f"Alphabet_{a}" / "character01"
            folder.mkdir(parents=True)
            Image.new("1", (105, 105), 1).save(folder / "0001_01.png")
    return {"folders": pictures, "omniglot": omniglot, "mini-imagenet": mini}


@pytest.mark.parametrize("name", IMAGES)
def test_splits_never_meet_and_their_images_are_of_the_format(roots, name):
    splits, images, *_ = load(name, roots.get(name))
    for a, b in combinations(splits, 2):
        assert not set(a.names) & set(b.names)
    for data in splits:
        assert data.x.shape[1:] == (images.channels, images.size, images.size)
        assert data.x.dtype == torch.uint8
    assert splits.test.n_classes


@pytest.mark.parametrize("name", ["folders", "omniglot"])
def test_the_same_seed_is_the_same_data(roots, name):
    one, other = (load(name, roots.get(name), seed=3).splits for _ in range(2))
    assert all(a.names == b.names and torch.equal(a.x, b.x) for a, b in zip(one, other, strict=True))


def test_digits_are_for_the_test_alone():
    splits = load("digits").splits
    assert [data.n_classes for data in splits] == [0, 0, 10]


def test_folders_are_read_in_the_format_asked_for(pictures):
    images = Images(3, 20, ink=False)
    source = load("folders", pictures, inputs=images)
    assert source.inputs == images
    assert source.splits.train.x.shape[1:] == (3, 20, 20)


def test_omniglot_is_cut_as_asked(roots):
    background = load("omniglot", roots["omniglot"]).splits
    assert [data.n_classes for data in background] == [9, 1, 2]
    with pytest.raises(DataError, match="1623"):
        load("omniglot", roots["omniglot"], split="random")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("omniglot", ["images_background.zip", "`quickstudy tasks omniglot --download`"]),
        ("mini-imagenet", ["train.csv", "images/"]),
        ("folders", ["CLASS/IMAGE"]),
    ],
)
def test_missing_data_says_where_to_put_what(tmp_path, name, words):
    with pytest.raises(DataError) as caught:
        load(name, tmp_path / "empty")
    for word in (str(tmp_path / "empty"), *words):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_folders_need_a_folder():
    with pytest.raises(DataError, match="give it as data_root"):
        load("folders")


def test_shared_omniglot_as_its_authors_cut_it(shared):
    splits, images, *_ = load("omniglot", shared)
    assert [data.n_classes for data in splits] == [828, 136, 659]
    assert images == Images(channels=1, size=28)
    assert np.mean(splits.test.x.numpy() > 127) < 0.2, "ink is bright on dark"
