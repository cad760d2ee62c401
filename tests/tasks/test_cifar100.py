"""Both sets are cut from CIFAR-100's archive as published; nothing is extracted, and damage is one line."""

import gzip
import hashlib
import io
import json
import tarfile
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from quickstudy.errors import DataError
from quickstudy.tasks import cifar100
from quickstudy.tasks.cifar100 import FC100, CifarFS, cifar_fs, fc100
from quickstudy.testing import check_source
from tests.conftest import shared_cache

SHARED = Path(__file__).parents[3] / "shared" / "data" / "cifar100"
ARCHIVE = "cifar-100-binary.tar.gz"
MADE = "ignore:.*is not the published archive:UserWarning"
pytestmark = pytest.mark.filterwarnings(MADE)


def names() -> list[str]:
    """100 names: those of the published lists that the package writes down, and others."""
    known = sorted(set(" ".join(cifar100._CIFAR_FS + cifar100._FC100).split()))
    return known + [f"other_{i}" for i in range(100 - len(known))]


def part(count: int) -> np.ndarray:
    """Records of each class in turn; an image of class c is one of red c, green 1 and blue 2 on the first column."""
    rows = np.zeros((100 * count, 3074), np.uint8)
    rows[:, 1] = np.arange(len(rows)) % 100
    pixels = rows[:, 2:].reshape(-1, 3, 32, 32)
    pixels[:, 0] = rows[:, 1, None, None]
    pixels[:, 1, :, 0], pixels[:, 2, :, 0] = 1, 2
    return rows


def written(folder: Path, files: dict[str, bytes]) -> Path:
    folder.mkdir(parents=True)
    with tarfile.open(folder / ARCHIVE, "w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-100-binary/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return folder


@pytest.fixture(scope="module")
def files() -> dict[str, bytes]:
    listing = "\n".join(names()).encode() + b"\n"
    return {"train.bin": part(500).tobytes(), "test.bin": part(100).tobytes(), "fine_label_names.txt": listing}


@pytest.fixture(scope="module")
def root(files, tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("cifar") / "root", files)


def test_classes_are_cut_and_pixels_are_in_their_places(root):
    for load, sizes in ((cifar_fs, [64, 16, 20]), (fc100, [60, 20, 20])):
        splits = load(root)
        assert [data.n_classes for data in splits] == sizes
        assert len(set(sum((data.names for data in splits), ()))) == 100
        for data in splits:
            assert data.x.dtype == torch.uint8
            assert data.x.shape == (600 * data.n_classes, 3, 32, 32)
            assert set(data.counts) == {600}
            expected = torch.tensor([names().index(name) for name in data.names]).repeat_interleave(600)
            assert torch.equal(data.x[:, 0].flatten(1).amax(1).long(), expected)
            assert data.x[:, 1:, :, 0].unique(dim=0).tolist() == [[[1] * 32, [2] * 32]]
            assert not data.x[:, 1:, :, 1:].any()


@pytest.mark.parametrize("source", [CifarFS, FC100])
def test_both_sources_keep_the_laws(root, source):
    check_source(source(data_root=root))


def test_nothing_is_written_beside_the_archive_and_the_second_call_reads_the_cache(root, monkeypatch):
    first = cifar_fs(root)
    assert [path.name for path in root.iterdir()] == [ARCHIVE]
    monkeypatch.setattr(gzip, "open", None)  # an archive that is opened again would raise an error
    assert torch.equal(cifar_fs(root).test.x, first.test.x)
    assert fc100(root).test.n_classes == 20


def test_missing_data_says_where_to_put_what(tmp_path):
    with pytest.raises(DataError) as caught:
        fc100(tmp_path)
    assert str(caught.value) == (
        f"no cifar-100-binary.tar.gz in '{tmp_path}': put CIFAR-100's binary version there (the Python version is a "
        f"pickle, which is code and is never read), or download it with `quickstudy tasks cifar-fs --download`"
    )


def test_a_download_is_checked_and_another_archive_is_reported(root, tmp_path, monkeypatch):
    monkeypatch.setattr(cifar100, "_URL", root.as_uri())
    with pytest.raises(DataError, match=r"sha256:.+ is expected"):
        cifar_fs(tmp_path / "new", download=True)
    assert not list((tmp_path / "new").glob("*.gz"))
    with pytest.warns(UserWarning, match="is not the published archive"):
        cifar_fs(root)
    checksum = hashlib.sha256((root / ARCHIVE).read_bytes()).hexdigest()
    monkeypatch.setattr(cifar100, "_CHECKSUM", f"sha256:{checksum}")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        splits = cifar_fs(tmp_path / "new", download=True)
    assert splits.test.names == cifar_fs(root).test.names


LIGHT = {"train_bin": b""}  # the names are read before the images


def spoiled(files: dict[str, bytes], **changed: bytes | None) -> dict[str, bytes]:
    after = {**files, **{name.replace("_bin", ".bin").replace("_txt", ".txt"): each for name, each in changed.items()}}
    return {name: each for name, each in after.items() if each is not None}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        (lambda f: spoiled(f, **LIGHT, test_bin=None), r"it holds no test\.bin"),
        (lambda f: spoiled(f, **LIGHT, fine_label_names_txt=None), r"it holds no fine_label_names\.txt"),
        (lambda f: spoiled(f, test_bin=f["test.bin"][:-1]), r"test\.bin has 30739999 bytes, but 10000 records of 3074"),
        (lambda f: spoiled(f, train_bin=f["test.bin"]), r"train\.bin has 30740000 bytes, but 50000 records"),
        (lambda f: spoiled(f, test_bin=b"\xc8\xc8" + f["test.bin"][2:]), r"test\.bin does not hold 100 images of each"),
        (lambda f: spoiled(f, **LIGHT, fine_label_names_txt=b"apple\n" * 100), r"does not hold the 100 names"),
        (lambda f: spoiled(f, **LIGHT, fine_label_names_txt=b"\xff\n" * 100), r"ascii"),
        (lambda f: spoiled(f, **LIGHT, big=bytes(2**28)), r"it expands to more than 268435456 bytes"),
    ],
)
def test_damage_is_one_line(files, tmp_path, change, what):
    root = written(tmp_path / "root", change(files))
    with pytest.raises(DataError, match=what) as caught:
        cifar_fs(root)
    assert str(caught.value).startswith(f"cannot read '{root / ARCHIVE}'")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "spoil", [lambda b: b[: len(b) // 2], lambda b: b"\x1f\x8b" + b[2:9], lambda b: b"", lambda b: b"x"]
)
def test_an_archive_that_is_cut_or_no_archive_is_one_line(root, tmp_path, spoil):
    (tmp_path / ARCHIVE).write_bytes(spoil((root / ARCHIVE).read_bytes()))
    with pytest.raises(DataError, match=r"cannot read .*; remove it, then download it with") as caught:
        cifar_fs(tmp_path)
    assert "\n" not in str(caught.value)


def test_links_and_folders_of_the_right_names_are_not_files(files, tmp_path):
    root = written(tmp_path / "root", spoiled(files, **LIGHT))
    with tarfile.open(root / ARCHIVE, "w:gz") as archive:
        link = tarfile.TarInfo("cifar-100-binary/test.bin")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        member = tarfile.TarInfo("cifar-100-binary/fine_label_names.txt")
        archive.addfile(member)
    with pytest.raises(DataError, match=r"it holds no train\.bin"):
        cifar_fs(root)


@pytest.mark.skipif(not SHARED.is_dir(), reason="no shared data")
class TestShared:
    @pytest.fixture(autouse=True)
    def cache(self, tmp_path_factory, monkeypatch):
        monkeypatch.setenv("QUICKSTUDY_CACHE", str(shared_cache(tmp_path_factory)))

    @pytest.mark.parametrize(("load", "listing"), [(cifar_fs, "cifar_fs_split"), (fc100, "fc100_split")])
    def test_shared_classes_are_the_published_lists(self, load, listing):
        published = json.loads((SHARED / f"{listing}.json").read_text())
        splits = load(SHARED)
        assert {name: list(data.names) for name, data in splits._asdict().items()} == published
        assert all(set(data.counts) == {600} for data in splits)

    def test_shared_superclasses_of_fc100_never_meet(self):
        with tarfile.open(SHARED / ARCHIVE) as archive:
            of = {
                name: archive.extractfile(f"cifar-100-binary/{name}").read()
                for name in ("test.bin", "fine_label_names.txt")
            }
        classes = of["fine_label_names.txt"].decode().split()
        pairs = np.frombuffer(of["test.bin"], np.uint8).reshape(-1, 3074)[:, :2]
        superclass = {classes[fine]: int(coarse) for coarse, fine in pairs}
        sets = [{superclass[name] for name in data.names} for data in fc100(SHARED)]
        assert [len(each) for each in sets] == [12, 4, 4]
        assert len(set().union(*sets)) == 20

    def test_shared_images_are_photographs(self):
        x = cifar_fs(SHARED).test.x.float()
        assert 100 < x.mean() < 140
        neighbours, far = (x[..., 1:] - x[..., :-1]).abs().mean(), (x[..., 16:] - x[..., :16]).abs().mean()
        assert neighbours < far / 2, "neighbouring pixels are alike"
