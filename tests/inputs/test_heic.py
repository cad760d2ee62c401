"""HEIC images are read as others are, or refused in a line that says what to install."""

import pytest
from PIL import Image

from quickstudy.errors import DataError
from quickstudy.inputs import heic
from quickstudy.inputs.base import Item
from tests.inputs.drawings import HEIC, INK, SEVEN, close, read


def test_heic_is_read_whatever_its_name_and_pillow_stays_as_it_was(tmp_path):
    for name in ("a.heic", "a.jpg"):
        (tmp_path / name).write_bytes(HEIC)
        assert close(read(tmp_path / name, INK), SEVEN, 8)
    assert ".heic" not in Image.registered_extensions()


def test_heic_without_its_library_is_a_line_that_says_what_to_install(monkeypatch):
    monkeypatch.setattr(heic, "has_heic", lambda: False)
    with pytest.raises(DataError, match=r"^'a.heic' is a HEIC image, .*; pip install 'quickstudy\[photos\]'$"):
        INK.encode([Item("a.heic", HEIC)])


def test_a_heic_file_that_is_too_large_is_not_read(tmp_path):
    with (tmp_path / "a.heic").open("wb") as file:
        file.write(HEIC)
        file.truncate(10**10)
    with pytest.raises(DataError, match="HEIC image of more than 134 MB"):
        read(tmp_path / "a.heic", INK)
