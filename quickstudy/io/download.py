"""Downloads on request: each file is verified by its checksum, then moved into place atomically."""

from __future__ import annotations

import hashlib
import ssl
import time
import urllib.error
import urllib.request
from http.client import HTTPException
from io import BufferedRandom
from pathlib import Path

from filelock import FileLock
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from quickstudy.errors import DataError, one_line
from quickstudy.io.console import drawn, messages
from quickstudy.io.files import whole_file

_PAUSES = (1.0, 2.0)  # seconds before the second and the third try
_TIMEOUT = 30.0  # seconds without any data
_CHUNK = 2**16


def fetch(url: str, target: Path, *, checksum: str, max_bytes: int) -> Path:
    """Download a file to ``target`` atomically: afterwards it is the verified file, or unchanged.

    An existing file with the right checksum is not downloaded again. An interrupted transfer is tried three times, and
    continues from where it stopped if the server supports that. If several processes want the same file at once, one
    downloads it and the others wait. A progress bar is drawn on stderr if that is a terminal.

    Args:
        url: Address of the file.
        target: Path to write to.
        checksum: ``"sha256:<hex>"``, or ``"md5:<hex>"`` if the publisher gives nothing better.
        max_bytes: Largest size in bytes; a longer file is refused.

    Returns:
        ``target``.

    Raises:
        DataError: There is no network, the HTTP status is an error, the file is too long or has another checksum, or
            the target cannot be written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "there").write_bytes(b"ink")
    ...     md5 = "md5:0a16bc32f55683128983f223de242942"
    ...     fetch(Path(folder, "there").as_uri(), Path(folder, "here"), checksum=md5, max_bytes=3).read_bytes()
    b'ink'
    """
    columns = (TextColumn(target.name), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    progress = Progress(*columns, console=messages, transient=True, disable=not drawn())
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(target.with_name(f".{target.name}.lock")):
            if target.is_file() and _sum(target, checksum) == checksum:
                return target
            with whole_file(target) as file:
                with progress:
                    _receive_patiently(url, file, max_bytes, progress)
                file.flush()
                if (actual := _sum(Path(file.name), checksum)) != checksum:
                    raise DataError(
                        f"{url} has {actual}, but {checksum} is expected; it is another file and was not saved"
                    )
    except OSError as error:
        raise DataError(
            f"cannot write {target}: {error.strerror or error}; free disk space or choose another folder"
        ) from error
    return target


def _receive_patiently(url: str, file: BufferedRandom, max_bytes: int, progress: Progress) -> None:
    bar = progress.add_task("", total=None)
    for pause in (*_PAUSES, None):
        try:
            _receive(url, file, max_bytes, progress, bar)
            return
        except (urllib.error.URLError, HTTPException, TimeoutError, ConnectionError, ssl.SSLError) as error:
            status = error.code if isinstance(error, urllib.error.HTTPError) else None
            passing = status is None or status >= 500 or status == 429
            if pause is None or not passing:
                reason = getattr(error, "reason", None) or error
                cause = f"HTTP status {status} ({reason})" if status else getattr(reason, "strerror", None) or reason
                advice = "check the network and try again" if passing else "check the address"
                raise DataError(
                    f"cannot download {url}: {one_line(cause)}; {advice}, or save the file there yourself"
                ) from error
            time.sleep(pause)


def _receive(url: str, file: BufferedRandom, max_bytes: int, progress: Progress, bar: TaskID) -> None:
    """Download once, and continue from the end of the partial file if the server supports that."""
    have = file.seek(0, 2)
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    with urllib.request.urlopen(request, timeout=_TIMEOUT) as response:
        if response.status != 206 or not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            have = file.seek(0)
            file.truncate()
        length = response.headers.get("Content-Length")
        total = have + int(length) if length else None
        progress.update(bar, total=total, completed=have)
        while chunk := response.read1(_CHUNK):
            have += len(chunk)
            if have > max_bytes:
                break
            file.write(chunk)
            progress.update(bar, completed=have)
    if max(have, total or 0) > max_bytes:
        raise DataError(f"{url} sends more than the expected {max_bytes} bytes; it is another file")
    if total is not None and have < total:
        raise ConnectionError(f"interrupted after {have} of {total} bytes")


def _sum(path: Path, like: str) -> str:
    """Return the checksum of a file, by the algorithm of another checksum."""
    kind = like.partition(":")[0]
    with path.open("rb") as file:
        return f"{kind}:{hashlib.file_digest(file, lambda: hashlib.new(kind, usedforsecurity=False)).hexdigest()}"
