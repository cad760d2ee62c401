"""Real servers, each a process on a free port, and browsers that visit them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from PIL import Image, ImageDraw

from tests.serving.browser import DESKTOP, Visit, chromium


class Server(NamedTuple):
    process: subprocess.Popen[str]
    address: str
    client: httpx.Client


@contextmanager
def server(*arguments: object, **environment: str) -> Iterator[Server]:
    command = [sys.executable, "-m", "quickstudy", "serve", *map(str, arguments), "--port", "0", "--no-browser"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        line = process.stdout.readline()
        assert line, process.stderr.read()
        address = line.split("#")[0].strip().rstrip("/")
        with httpx.Client(base_url=address, timeout=120) as client:
            yield Server(process, address, client)
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="package")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="package")
def running(store: Path) -> Iterator[Server]:
    with server(store) as started:
        yield started


@pytest.fixture
def client(running: Server) -> httpx.Client:
    return running.client


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture
def visit(browser, running):
    visits = []

    def start(size=DESKTOP, scheme="light"):
        visits.append(Visit(browser, running.address, size, scheme))
        return visits[-1]

    yield start
    for each in visits:
        each.close()
        assert not each.errors
        assert not each.elsewhere


def drawing(shape: str, shift: int = 0, size: int = 200) -> bytes:
    """A drawing as a canvas sends it: a PNG file."""
    page = Image.new("L", (size, size), "white")
    pen = ImageDraw.Draw(page)
    a, b = size // 5 + shift, 4 * size // 5
    if shape == "cross":
        pen.line((a, a, b, b), 0, 9)
        pen.line((a, b, b, a), 0, 9)
    else:
        getattr(pen, shape)((a, a, b, b), outline=0, width=9)
    content = BytesIO()
    page.save(content, "PNG")
    return content.getvalue()


def drawings(*shapes: str, shift: int = 0) -> list[tuple[str, tuple[str, bytes]]]:
    """Files of a form, each in the folder of its label."""
    return [("files", (f"{shape}/{shape}.png", drawing(shape, shift))) for shape in shapes]


ROWS = [{"label": label, "row": {"width": width, "colour": colour}} for label, width, colour in (
    ("small", 1, "red"), ("small", 2, "red"), ("large", 9, "blue"), ("large", 8, "red"),
)]  # fmt: skip
"""Labelled rows, which are learned in no time."""
LIST = "/v1/classifiers"
ROW = {"row": ROWS[0]["row"]}


def made(response: httpx.Response) -> dict[str, Any]:
    assert response.status_code in (200, 201), response.text
    return response.json()
