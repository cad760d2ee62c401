"""Omniglot from archives that the tests draw themselves, and, where it lies at hand, from the real ones."""

import hashlib
import io
import zipfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from quickstudy.errors import DataError, NotEnoughClasses, SettingError
from quickstudy.tasks import omniglot as source
from quickstudy.tasks.omniglot import omniglot
from tests.conftest import shared_cache

SHARED = Path(__file__).parents[3] / "shared"
VALIDATION = {"Hebrew": 22, "Mkhedruli_(Georgian)": 41, "Armenian": 41, "Early_Aramaic": 22, "Bengali": 46}


def drawing(ink=(20, 20, 60, 60), size=(105, 105)):
    image = Image.new("1", size, 1)
    ImageDraw.Draw(image).rectangle(ink, fill=0)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


def drawn(part, alphabets, images=3):
    """Path in the archive and bytes of each image; in each alphabet the ink stands elsewhere."""
    return {
        f"{part}/{alphabet}/character{c:02d}/{c:04d}_{i:02d}.png": drawing((3 * a % 60, 9 * c % 60, 70, 60 + 9 * i))
        for a, (alphabet, characters) in enumerate(alphabets.items())
        for c in range(1, characters + 1)
        for i in range(1, images + 1)
    }


BACKGROUND = drawn("images_background", {f"Old_{i:02d}": 2 for i in range(12)})
EVALUATION = drawn("images_evaluation", {f"New_{i}": 2 for i in range(3)})


def write_zip(folder, files):
    with zipfile.ZipFile(folder / f"{next(iter(files)).split('/')[0]}.zip", "w") as archive:
        for name in sorted(files, key=lambda name: hashlib.md5(name.encode()).digest()):  # in no order at all
            archive.writestr(name, files[name])


def write_folder(folder, files):
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "prepared"


@pytest.fixture
def root(tmp_path):
    (tmp_path / "root").mkdir()
    write_zip(tmp_path / "root", BACKGROUND)
    write_zip(tmp_path / "root", EVALUATION)
    return tmp_path / "root"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """As many alphabets and characters as the real one, one image each."""
    folder = tmp_path_factory.mktemp("whole")
    rest = {f"Rest_{i:02d}": 32 for i in range(24)} | {"Rest_24": 24}
    write_zip(folder, drawn("images_background", VALIDATION | rest, images=1))
    write_zip(folder, drawn("images_evaluation", {f"Test_{i:02d}": 33 for i in range(19)} | {"Test_19": 32}, images=1))
    return folder


def same(a, b):
    return all(
        p.names == q.names and torch.equal(p.x, q.x) and torch.equal(p.y, q.y) for p, q in zip(a, b, strict=True)
    )


def alphabets(data):
    return {name.split("/")[0] for name in data.names}


def never_meet(splits):
    return all(not set(a.names) & set(b.names) for a, b in combinations(splits, 2))


def test_images_are_28x28_with_ink_255(root):
    x = omniglot(root).test.x
    assert x.shape == (3 * 2 * 3, 1, 28, 28)
    assert x.dtype == torch.uint8
    assert x[0, 0, 10, 10] == 255
    assert x[0, 0, 0, 0] == x[0, 0, 27, 27] == 0


@given(left=st.integers(0, 104), top=st.integers(0, 104), width=st.integers(0, 104), height=st.integers(0, 104))
@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_reducing_keeps_the_share_of_ink(tmp_path, left, top, width, height):
    right, bottom = min(left + width, 104), min(top + height, 104)
    for part in ("images_background", "images_evaluation"):
        write_zip(tmp_path, {f"{part}/A_{part}/character01/01_01.png": drawing((left, top, right, bottom))})
    share = (right + 1 - left) * (bottom + 1 - top) / 105**2
    # A new pixel is the mean over 3 or 4 old ones a side, so an old one weighs up to (105 / 28 / 3)^2 = 1.56.
    assert float(omniglot(tmp_path).test.x.float().mean() / 255) == pytest.approx(share, rel=0.57, abs=0.002)


def test_order_is_by_name_and_never_that_of_the_archive(root):
    data = omniglot(root).test
    assert list(data.names) == [f"New_{a}/character{c:02d}" for a in range(3) for c in (1, 2)]
    expected = [Image.open(io.BytesIO(EVALUATION[name])).convert("L") for name in sorted(EVALUATION)]
    expected = np.stack([255 - np.asarray(image.resize((28, 28), Image.Resampling.BOX)) for image in expected])
    assert np.array_equal(data.x[:, 0].numpy(), expected)


def test_archives_folders_and_a_folder_below_give_the_same(root, tmp_path):
    write_folder(tmp_path / "unpacked" / "omniglot", BACKGROUND | EVALUATION)
    assert same(omniglot(root), omniglot(tmp_path / "unpacked"))
    (tmp_path / "cache" / "omniglot").symlink_to(root)
    assert same(omniglot(root), omniglot())


def test_every_tenth_background_alphabet_is_validation(whole):
    splits = omniglot(whole)
    names = sorted(alphabets(splits.train) | alphabets(splits.validation))
    assert alphabets(splits.validation) == {names[9], names[19], names[29]}
    assert splits.test.n_classes == 659
    assert never_meet(splits)


def test_vinyals_split_is_the_first_1200_but_five_alphabets(whole):
    splits = omniglot(whole, split="vinyals")
    assert [part.n_classes for part in splits] == [1028, 172, 423]
    assert Counter(name.split("/")[0] for name in splits.validation.names) == VALIDATION
    assert max(n for n in splits.train.names if n[:4] == "Test") < min(splits.test.names)
    assert alphabets(splits.test) <= {f"Test_{i:02d}" for i in range(20)}
    assert never_meet(splits)
    assert same(splits, omniglot(whole, split="vinyals", seed=1))


@given(seed=st.integers(0, 2**32 - 1))
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_random_split_holds_each_class_once_and_repeats_by_seed(whole, seed):
    splits = omniglot(whole, split="random", seed=seed)
    assert [part.n_classes for part in splits] == [1100, 100, 423]
    assert never_meet(splits)
    assert same(splits, omniglot(whole, split="random", seed=seed))
    assert not same(splits, omniglot(whole, split="random", seed=seed + 1))


@pytest.mark.parametrize("write", [write_zip, write_folder])
@pytest.mark.parametrize(
    ("content", "says"),
    [
        (drawing()[:90], "no readable PNG"),
        (b"", "no readable PNG"),
        (drawing(size=(28, 28)), "is 28x28"),
        (drawing(size=(9000, 9000)), "is 9000x9000"),
    ],
    ids=["cut", "empty", "small", "large"],
)
def test_a_damaged_image_is_named(root, tmp_path, write, content, says):
    bad = "images_evaluation/New_1/character02/0002_03.png"
    (root / "images_evaluation.zip").unlink()
    write(root, EVALUATION | {bad: content})
    with pytest.raises(DataError, match=says) as caught:
        omniglot(root)
    assert bad in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:-40], lambda b: b[:200] + bytes(9) + b[209:]])
def test_a_damaged_archive_is_named(root, damage):
    path = root / "images_background.zip"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(DataError, match=r"images_background\.zip"):
        omniglot(root)


def test_an_empty_folder_is_named(root):
    (root / "images_background.zip").unlink()
    (root / "images_background").mkdir()
    with pytest.raises(DataError, match=r"images_background contains no ALPHABET"):
        omniglot(root)


def test_missing_data_says_where_to_put_it_and_how_to_fetch_it(tmp_path):
    with pytest.raises(DataError) as caught:
        omniglot(tmp_path)
    for word in (
        str(tmp_path),
        "images_background.zip",
        "images_evaluation.zip",
        "`quickstudy tasks omniglot --download`",
    ):
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_download_fetches_what_is_missing_and_checks_it(root, tmp_path, monkeypatch):
    archives = {path.stem: path.read_bytes() for path in root.iterdir()}
    monkeypatch.setattr(source, "_URL", root.as_uri())
    with pytest.raises(DataError, match=r"md5:.+ is expected"):
        omniglot(tmp_path / "new", download=True)
    assert not list((tmp_path / "new").glob("*.zip"))
    checksums = {part: "md5:" + hashlib.md5(archives[part]).hexdigest() for part in source._CHECKSUM}
    monkeypatch.setattr(source, "_CHECKSUM", checksums)
    assert same(omniglot(tmp_path / "new", download=True), omniglot(root))
    assert same(omniglot(tmp_path / "new"), omniglot(root))


def test_an_unknown_split_and_too_few_classes_are_refused(root):
    with pytest.raises(SettingError, match="did you mean 'vinyals'"):
        omniglot(root, split="vinyal")
    for split in ("vinyals", "random"):
        with pytest.raises(NotEnoughClasses, match="1623, but there are 30"):
            omniglot(root, split=split)


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_the_second_call_reads_no_image(tmp_path, monkeypatch, write):
    (tmp_path / "root").mkdir()
    write(tmp_path / "root", BACKGROUND)
    write(tmp_path / "root", EVALUATION)
    first = omniglot(tmp_path / "root")
    monkeypatch.setattr(Image, "open", None)
    monkeypatch.setattr(zipfile, "ZipFile", None)
    assert same(first, omniglot(tmp_path / "root"))


@pytest.mark.parametrize("write", [write_zip, write_folder])
def test_changed_data_is_read_anew(tmp_path, write):
    (tmp_path / "root").mkdir()
    write(tmp_path / "root", BACKGROUND)
    write(tmp_path / "root", EVALUATION)
    before = omniglot(tmp_path / "root").test.x
    name = min(EVALUATION)
    write(tmp_path / "root", EVALUATION | {name: drawing((0, 0, 104, 104))})
    after = omniglot(tmp_path / "root").test.x
    assert torch.equal(after[1:], before[1:])
    assert int(after[0].min()) == 255


def test_a_damaged_cache_is_made_again(root, cache):
    first = omniglot(root)
    for path in cache.iterdir():
        content = bytearray(path.read_bytes())
        content[-100] ^= 1
        path.write_bytes(content)
    assert same(first, omniglot(root))
    assert same(first, omniglot(root))


def test_several_may_prepare_at_once(root, cache):
    with ThreadPoolExecutor(4) as pool:
        several = list(pool.map(omniglot, [root] * 8))
    assert all(same(several[0], one) for one in several)
    assert len(list(cache.iterdir())) == 2


@pytest.mark.skipif(not SHARED.exists(), reason="no shared data")
class TestShared:
    """The real archives, prepared once for all tests of the class."""

    @pytest.fixture(autouse=True)
    def cache(self, tmp_path_factory, monkeypatch):
        monkeypatch.setenv("QUICKSTUDY_CACHE", str(shared_cache(tmp_path_factory)))

    @pytest.mark.parametrize(
        ("split", "sizes"),
        [("background", (828, 136, 659)), ("vinyals", (1028, 172, 423)), ("random", (1100, 100, 423))],
    )
    def test_shared_sizes(self, split, sizes):
        splits = omniglot(SHARED / "data", split=split)
        assert tuple(part.n_classes for part in splits) == sizes
        assert all((part.counts == 20).all() for part in splits)
        assert never_meet(splits)

    def test_shared_alphabets(self):
        splits = omniglot(SHARED / "data")
        assert [len(alphabets(part)) for part in splits] == [27, 3, 20]
        assert len(alphabets(splits.train) | alphabets(splits.validation) | alphabets(splits.test)) == 50

    def test_shared_vinyals_cuts_gurmukhi_alone(self):
        splits = omniglot(SHARED / "data", split="vinyals")
        assert alphabets(splits.train) & alphabets(splits.test) == {"Gurmukhi"}
        assert sorted(n for n in splits.test.names if n.startswith("Gurmukhi"))[0] == "Gurmukhi/character42"
