"""What the cache returns is what was prepared, whatever becomes of its files."""

import platformdirs
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quickstudy.inputs.cache import data_folder, prepared
from quickstudy.inputs.dataset import ClassDataset

DATA = ClassDataset.from_labels(torch.arange(24, dtype=torch.uint8).view(6, 1, 2, 2), list("aabbcc"))
ORDINARY = settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path))
    return tmp_path / "prepared"


def make():
    return DATA


def never():
    raise AssertionError("prepared again")


def same(a, b):
    return a.names == b.names and torch.equal(a.x, b.x) and torch.equal(a.y, b.y) and a.x.dtype == b.x.dtype


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32, torch.float64])
def test_prepares_once(cache, dtype):
    data = ClassDataset(DATA.x.to(dtype), DATA.y, DATA.names)
    assert same(prepared("key", lambda: data), data)
    assert same(prepared("key", never), data)
    assert [path.name for path in cache.iterdir()] == ["key.safetensors"]


def test_another_key_is_another_data_set(cache):
    prepared("key", make)
    other = DATA.select([2, 0])
    assert same(prepared("other", lambda: other), other)


@given(at=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
@ORDINARY
def test_a_flipped_bit_never_changes_what_is_returned(cache, at, bit):
    prepared("key", make)
    path = cache / "key.safetensors"
    content = bytearray(path.read_bytes())
    content[int(at * len(content))] ^= 1 << bit
    path.write_bytes(content)
    assert same(prepared("key", make), DATA)


@given(at=st.floats(0, 1, exclude_max=True))
@ORDINARY
def test_a_cut_file_is_made_again(cache, at):
    prepared("key", make)
    path = cache / "key.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[: int(at * len(content))])
    assert same(prepared("key", make), DATA)
    assert same(prepared("key", never), DATA)


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "file"))
    assert same(prepared("key", make), DATA)


def test_the_folder_is_the_variable_or_the_users_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path))
    assert data_folder() == tmp_path
    monkeypatch.delenv("QUICKSTUDY_CACHE")
    assert str(data_folder()).startswith(platformdirs.user_cache_dir("quickstudy"))


def test_a_copy_that_no_longer_fits_is_made_again(cache):
    other = ClassDataset(DATA.x + 1, DATA.y, DATA.names)
    prepared("key", make)
    assert same(prepared("key", lambda: other, lambda saved: not same(saved, DATA)), other)
    assert same(prepared("key", never, lambda saved: same(saved, other)), other)
