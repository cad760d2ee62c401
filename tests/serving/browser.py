"""A real browser: Debian's chromium, driven by playwright."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = Path("/usr/bin/chromium")
AXE = Path(os.environ.get("AXE_CORE", Path.home() / ".cache/axe-core/axe.min.js"))
"""File axe.min.js of the npm package axe-core."""
DESKTOP, PHONE = (1280, 800), (390, 844)
PATIENCE = 45_000
"""Milliseconds to wait for what must come; no test asserts a duration."""
SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
HEADLINE = ".headline strong"

CIRCLE = [[(0.5 + 0.3 * math.sin(t / 8), 0.5 - 0.28 * math.cos(t / 8)) for t in range(51)]]
CROSS = [
    [(0.2 + 0.6 * t / 9, 0.2 + 0.55 * t / 9) for t in range(10)],
    [(0.8 - 0.6 * t / 9, 0.22 + 0.55 * t / 9) for t in range(10)],
]
WAVE = [[(0.15 + 0.7 * t / 39, 0.5 - 0.16 * math.sin(t / 3)) for t in range(40)]]
SQUARE = [[(0.25, 0.25), (0.75, 0.26), (0.76, 0.75), (0.24, 0.74), (0.25, 0.25)]]


@contextmanager
def chromium() -> Iterator[Any]:
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}")
    api.expect.set_options(timeout=PATIENCE)
    camera = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=["--no-sandbox", *camera])
        yield browser
        browser.close()


class Visit:
    """A window of its own, with what went wrong in it."""

    def __init__(self, browser: Any, address: str, size: tuple[int, int] = DESKTOP, scheme: str = "light") -> None:
        self.context = browser.new_context(viewport={"width": size[0], "height": size[1]}, color_scheme=scheme)
        self.context.set_default_timeout(PATIENCE)
        self.address, self.errors, self.elsewhere = address, [], []
        self.page = self.tab()

    def tab(self) -> Any:
        """Open another tab."""
        page = self.context.new_page()
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)
        return page

    def _request(self, request: Any) -> None:
        if not request.url.startswith((self.address, "data:", f"blob:{self.address}")):
            self.elsewhere.append(request.url)

    def go(self, path: str = "/", page: Any = None) -> Any:
        """Open an address, and wait until the page is built."""
        page = page or self.page
        page.goto(f"{self.address}{path}")
        page.wait_for_selector("body[data-ready]")
        return page

    def close(self) -> None:
        self.context.close()


def draw(page: Any, strokes: list[list[tuple[float, float]]], pad: str = "#ask-pad") -> None:
    """Draw strokes on a pad by the mouse."""
    page.locator(pad).scroll_into_view_if_needed()
    box = page.locator(pad).bounding_box()
    for stroke in strokes:
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place)
        page.mouse.up()


def faults(page: Any) -> list[str]:
    """Serious and critical findings of axe-core."""
    if not AXE.exists():
        pytest.skip(f"there is no {AXE}; `npm pack axe-core` has it, or set AXE_CORE")
    page.evaluate(AXE.read_text("utf-8") + "; undefined")
    result = page.evaluate("axe.run()")
    return [
        f"{each['id']}: {each['nodes'][0]['html'][:200]} {each['nodes'][0]['failureSummary'][:300]}"
        for each in result["violations"]
        if each["impact"] in ("serious", "critical")
    ]


def expect(*arguments: Any) -> Any:
    from playwright.sync_api import expect

    return expect(*arguments)


def counts(client: Any, page: Any) -> dict[str, int]:
    """What the server has learned for a page."""
    name = page.url.rpartition("/")[2]
    return client.get(f"/v1/classifiers/{name}?check=false").json()["labels"]


def learned(page: Any, label: str, n: int) -> None:
    expect(page.locator(f'.class[data-label="{label}"] .class-head .small')).to_have_text(
        f"{n} example{'s' if n > 1 else ''}"
    )
    expect(page.locator(".waiting")).to_have_count(0)
