"""A download is the whole right file or nothing, and says why in one line."""

import hashlib
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from http.client import HTTPResponse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from unittest.mock import Mock

import pytest

from quickstudy.errors import DataError
from quickstudy.io import download
from quickstudy.io.download import fetch

CONTENT = bytes(range(256)) * 1200
SHA256 = "sha256:" + hashlib.sha256(CONTENT).hexdigest()
MD5 = "md5:" + hashlib.md5(CONTENT).hexdigest()
HALF = len(CONTENT) // 2


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under names that say how it goes wrong, and notes each request."""

    def do_GET(self):
        name = self.path.strip("/")
        with self.server.lock:
            self.server.asked[name] += 1
            nth = self.server.asked[name]
            self.server.ranges.append(self.headers.get("Range"))
        if name.startswith("away"):
            self.send_response(302)
            self.send_header(
                "Location", {"away": "/right", "away-loop": "/away-loop", "away-disk": "file:///etc/passwd"}[name]
            )
            self.end_headers()
            return
        if name == "missing" or (name == "busy-once" and nth == 1):
            self.send_error(404 if name == "missing" else 503)
            return
        start = int(self.headers.get("Range", "bytes=0-")[6:-1]) if "resume" in name else 0
        body = b"<html>Please log in</html>" if name == "page" else CONTENT[start:]
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        if name != "unsized":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if name == "silent" or (name == "resume-silent" and nth == 1):
            self.wfile.write(body[:HALF])
            self.server.closing.wait()
            return
        if name == "slow":
            time.sleep(0.5)
        cut = name == "cut" or (name in ("cut-once", "resume") and nth == 1)
        self.wfile.write(body[:HALF] if cut else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setattr(download, "_PAUSES", (0.0, 0.0))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.asked, server.ranges, server.lock, server.closing = Counter(), [], threading.Lock(), threading.Event()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    server.url = f"http://127.0.0.1:{server.server_port}"
    yield server
    server.closing.set()
    server.shutdown()
    server.server_close()


def visible(folder):
    return [path for path in folder.iterdir() if not path.name.endswith(".lock")]


@pytest.mark.parametrize("checksum", [SHA256, MD5])
@pytest.mark.parametrize("name", ["right", "unsized", "cut-once", "busy-once", "resume", "slow", "away"])
def test_a_file_that_can_be_had_is_had_whole(server, tmp_path, name, checksum):
    target = tmp_path / "new" / "data.zip"
    assert fetch(f"{server.url}/{name}", target, checksum=checksum, max_bytes=len(CONTENT)) == target
    assert target.read_bytes() == CONTENT
    assert visible(target.parent) == [target]


def test_a_cut_transfer_goes_on_where_it_stopped(server, tmp_path):
    fetch(f"{server.url}/resume", tmp_path / "data", checksum=SHA256, max_bytes=len(CONTENT))
    assert server.ranges == [None, f"bytes={HALF}-"]


@pytest.mark.parametrize(
    ("name", "says", "tries"),
    [
        ("missing", "HTTP status 404", 1),
        ("cut", f"interrupted after {HALF} of {len(CONTENT)} bytes", 3),
        ("page", "is expected", 1),
        ("away-loop", "infinite loop", 5),
        ("away-disk", "redirect|not allowed", 1),
    ],
)
def test_what_is_not_the_file_is_refused_and_leaves_all_as_it_was(server, tmp_path, name, says, tries):
    target = tmp_path / "data.zip"
    target.write_bytes(b"from before")
    with pytest.raises(DataError, match=says) as caught:
        fetch(f"{server.url}/{name}", target, checksum=SHA256, max_bytes=len(CONTENT))
    assert "\n" not in str(caught.value)
    assert server.asked[name] == tries
    assert target.read_bytes() == b"from before"
    assert visible(tmp_path) == [target]


@pytest.mark.parametrize("name", ["right", "unsized"])
def test_a_file_too_long_is_refused(server, tmp_path, name):
    with pytest.raises(DataError, match=f"more than the expected {HALF} bytes"):
        fetch(f"{server.url}/{name}", tmp_path / "data", checksum=SHA256, max_bytes=HALF)
    assert visible(tmp_path) == []


def test_no_network_is_one_line(server, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(DataError, match=r"cannot download http://127.+refused; check the network"):
        fetch(f"{server.url}/right", tmp_path / "data", checksum=SHA256, max_bytes=len(CONTENT))
    assert visible(tmp_path) == []


def test_a_target_that_cannot_be_written_is_named(server, tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(DataError, match=r"cannot write .+file"):
        fetch(f"{server.url}/right", tmp_path / "file" / "data", checksum=SHA256, max_bytes=len(CONTENT))
    assert server.asked["right"] == 0


def test_a_server_that_falls_silent_is_asked_again_where_it_stopped(server, tmp_path, monkeypatch):
    read1, urlopen = HTTPResponse.read1, Mock(wraps=urllib.request.urlopen)

    def timed_out(response, n):
        if response.status == 200 and response.length == HALF:  # the rest, which never comes
            raise TimeoutError("timed out")
        return read1(response, n)

    monkeypatch.setattr(HTTPResponse, "read1", timed_out)
    monkeypatch.setattr(urllib.request, "urlopen", urlopen)
    fetch(f"{server.url}/resume-silent", tmp_path / "data", checksum=SHA256, max_bytes=len(CONTENT))
    assert server.asked["resume-silent"] == 2
    assert server.ranges[1] == f"bytes={HALF}-"
    with pytest.raises(DataError, match=r"timed out; check the network"):
        fetch(f"{server.url}/silent", tmp_path / "other", checksum=SHA256, max_bytes=len(CONTENT))
    assert {call.kwargs["timeout"] for call in urlopen.call_args_list} == {download._TIMEOUT}
    assert visible(tmp_path) == [tmp_path / "data"]


def test_what_is_there_and_right_is_not_fetched_again(server, tmp_path):
    for _ in range(2):
        fetch(f"{server.url}/right", tmp_path / "data", checksum=SHA256, max_bytes=len(CONTENT))
    assert server.asked["right"] == 1


PROCESS = """
import sys
from pathlib import Path
from quickstudy.io.download import fetch
url, target, checksum, size = sys.argv[1:]
fetch(url, Path(target), checksum=checksum, max_bytes=int(size))
"""


def test_of_several_processes_one_fetches(server, tmp_path):
    command = [sys.executable, "-c", PROCESS, f"{server.url}/slow", tmp_path / "data", SHA256, str(len(CONTENT))]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait() for process in processes] == [0, 0, 0]
    assert (tmp_path / "data").read_bytes() == CONTENT
    assert server.asked["slow"] == 1
    assert visible(tmp_path) == [tmp_path / "data"]


def test_nothing_is_drawn_where_stderr_is_no_terminal(server, tmp_path, capfd):
    fetch(f"{server.url}/right", tmp_path / "data", checksum=SHA256, max_bytes=len(CONTENT))
    assert capfd.readouterr() == ("", "")
