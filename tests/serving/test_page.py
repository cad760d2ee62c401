"""The page as a whole, in a real browser, against a real server: tabs, failures, access, what it holds."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.serving.browser import CIRCLE, CROSS, HEADLINE, SIZES, WAVE, Visit, counts, draw, expect, faults, learned
from tests.serving.conftest import drawing, server


def test_two_tabs_never_mix(visit, client):
    visitor = visit()
    page = visitor.go()
    draw(page, CIRCLE)
    expect(page.locator(HEADLINE)).to_have_text("circle")
    other = visitor.go("/", visitor.tab())
    assert other.url != page.url
    copy = visitor.tab()  # the same address: the second tab gets a copy
    copy.goto(page.url)
    copy.wait_for_selector("body[data-ready]")
    assert copy.url not in (page.url, other.url)
    draw(copy, CROSS)
    expect(copy.locator(HEADLINE)).to_have_text("cross")
    copy.get_by_role("button", name="Learn that this is wave").click()
    learned(copy, "wave", 2)
    assert counts(client, page) == {"circle": 1, "cross": 1, "wave": 1}


def test_the_words_about_enough_examples_are_those_of_the_api(client):
    """The page knows when a guarantee would be refused, and says so in the same words."""
    files = [("files", (f"{shape}/1.png", drawing(shape))) for shape in ("ellipse", "cross")]
    assert client.post("/v1/classifiers", files=files, data={"name": "few"}).status_code == 201
    asked = {"files": [("files", ("new.png", drawing("cross")))], "data": {"coverage": "0.9", "false_alarms": "0.1"}}
    refusal = client.post("/v1/classifiers/few/predict", **asked).json()["error"]
    clause = re.search(r"needs at least 9 examples, two or more of each label", refusal)
    assert clause, refusal
    script = Path(sys.modules["quickstudy"].__file__).parent / "serving" / "static" / "js"
    assert clause[0] in (script / "answer.js").read_text("utf-8")
    more = [
        ("files", (f"{shape}/{i}.png", drawing(shape, i)))
        for shape, n in (("ellipse", 4), ("cross", 3))
        for i in range(1, n + 1)  # the first of each is there already, and copies are no examples
    ]
    assert client.post("/v1/classifiers/few/examples", files=more).json()["labels"] == {"cross": 4, "ellipse": 5}
    assert client.post("/v1/classifiers/few/predict", **asked).status_code == 200


@pytest.mark.slow
def test_a_killed_server_loses_nothing(browser, tmp_path):
    with server(tmp_path) as first:
        visitor = Visit(browser, first.address)
        page = visitor.go()
        draw(page, CIRCLE)
        expect(page.locator(HEADLINE)).to_have_text("circle")
        first.process.send_signal(signal.SIGKILL)
        first.process.wait()
        page.get_by_role("button", name="Learn that this is circle").click()
        expect(page.locator("#problem")).to_contain_text("Nothing is lost")
        expect(page.locator(".waiting")).to_have_count(1)
        port = first.address.rpartition(":")[2]
        command = [sys.executable, "-m", "quickstudy", "serve", str(tmp_path), "--port", port, "--no-browser"]
        again = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            assert again.stdout.readline()
            learned(page, "circle", 2)
            expect(page.locator("#problem")).to_be_empty()
            with httpx.Client(base_url=first.address) as client:
                assert counts(client, page) == {"circle": 2, "cross": 1, "wave": 1}
        finally:
            again.kill()
            again.communicate()
        visitor.close()
        assert all("ERR_CONNECTION" in error for error in visitor.errors), visitor.errors
        assert not visitor.elsewhere


@pytest.mark.slow
def test_token(browser, tmp_path):
    with server(tmp_path, "--token", "secret") as started:
        visitor = Visit(browser, started.address)
        page = visitor.go("/#token=secret")
        assert "secret" not in page.url
        draw(page, WAVE)
        expect(page.locator(HEADLINE)).to_have_text("wave")
        expect(page.locator(".thumb img").first).to_have_attribute("src", re.compile("^blob:"))
        visitor.close()
        assert not visitor.errors


@pytest.mark.slow
@SIZES
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everyone_can_use_it(visit, size, scheme, tmp_path):
    """No serious finding of axe-core, in any mode, with answers shown; nothing is wider than the window."""
    page = visit(size, scheme).go()
    draw(page, CIRCLE)
    expect(page.locator(".heat img")).to_be_visible()
    page.get_by_role("button", name="Keep for later").click()
    page.get_by_role("button", name="Draw more of wave").click()
    found = faults(page)
    page.locator("#open").click()
    expect(page.locator("#shelf li").first).to_be_visible()
    found += faults(page)
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Sentences").click()
    page.fill("#ask-text", "My parcel is lost")
    expect(page.locator(".words")).to_be_visible()
    found += faults(page)
    page.get_by_role("link", name="Photographs").click()
    page.wait_for_selector(".drop")
    found += faults(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
    page.goto(page.url.split("#")[0] + "loops.html")
    found += faults(page)
    assert not found
    assert page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.slow
@pytest.mark.parametrize("learner", ["MAML", "Reptile", "Prototypical"])
def test_loops(visit, learner):
    visitor = visit()
    page = visitor.page
    page.goto(f"{visitor.address}/loops.html")
    page.get_by_text(learner, exact=True).click()
    page.get_by_role("button", name="Start").click()
    expect(page.locator("#state")).to_contain_text(re.compile(r"After [1-9]\d* outer steps"))
    assert page.locator("#outer path").count() == 2
    if learner != "Prototypical":
        assert page.locator("#inner path").count() == 12
        page.locator("#inner-step").fill("3")
        assert page.locator("#inner path").count() == 5
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#stop")).to_be_disabled()


def test_the_page_names_no_other_address():
    """Scripts, styles and pages hold no address but those of this server and the name of SVG."""
    static = Path(sys.modules["quickstudy"].__file__).parent / "serving" / "static"
    files = [path for path in static.rglob("*") if path.is_file()]
    assert {path.suffix for path in files} == {".html", ".css", ".js", ".svg"}
    for path in files:
        text = path.read_text("utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//[a-z0-9]+\.|@import|url\(", text), path


def test_the_wheel_holds_the_page():
    import tomllib

    root = Path(__file__).parents[2]
    patterns = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["package-data"][
        "quickstudy"
    ]
    package = root / "quickstudy"
    packed = {path for pattern in patterns for path in package.glob(pattern)}
    assert {path for path in (package / "serving" / "static").rglob("*") if path.is_file()} <= packed
