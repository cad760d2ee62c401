"""HEIC, the format of photographs of phones, by pillow-heif if it is installed."""

from __future__ import annotations

import os
from functools import cache
from importlib.util import find_spec
from typing import BinaryIO

from PIL import Image

from quickstudy.errors import DataError

INSTALL = "pip install 'quickstudy[photos]'"
_MAX_BYTES = 2**27  # the library reads the whole file at once
_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")


@cache
def has_heic() -> bool:
    """Return whether pillow-heif is installed."""
    return find_spec("pillow_heif") is not None


def is_heic(head: bytes) -> bool:
    """Return whether the first 12 bytes of a file are those of a HEIC file.

    >>> is_heic(bytes(4) + b"ftypheic")
    True
    """
    return head[4:8] == b"ftyp" and head[8:] in _BRANDS


def opened_heic(name: str, file: BinaryIO) -> Image.Image:
    """Open a HEIC file as an image, without a change of Pillow's own list of formats.

    Args:
        name: Name for messages.
        file: The open file.

    Raises:
        DataError: pillow-heif is not installed, or the file is larger than 128 MB.
    """
    if not has_heic():
        raise DataError(f"{name} is a HEIC image, which needs pillow-heif; {INSTALL}")
    if file.seek(0, os.SEEK_END) > _MAX_BYTES:
        raise DataError(f"{name} is a HEIC image of more than {_MAX_BYTES // 10**6} MB; scale it down")
    file.seek(0)
    from pillow_heif import HeifImageFile

    image: Image.Image = HeifImageFile(file)  # type: ignore[no-untyped-call]
    return image
