"""The page of drawings, in a real browser, against a real server."""

import re
import zipfile
from pathlib import Path

import pytest

from tests.serving.browser import CIRCLE, CROSS, HEADLINE, PATIENCE, SIZES, SQUARE, WAVE, counts, draw, expect, learned


def test_a_drawing_is_answered_corrected_undone_and_not_lost(visit, client):
    visitor = visit()
    page = visitor.go()
    expect(page.locator(".class")).to_have_count(3)
    draw(page, CIRCLE)
    expect(page.locator(HEADLINE)).to_have_text("circle")
    expect(page.locator(".best .name")).to_have_text("circle")
    expect(page.locator(".heat img")).to_be_visible()
    expect(page.locator(".why .thumbs img").first).to_have_attribute("src", re.compile("^blob:"))
    page.get_by_role("button", name="Learn that this is cross").click()
    learned(page, "cross", 2)
    assert counts(client, page) == {"circle": 1, "cross": 2, "wave": 1}
    page.locator("#undo").click()
    learned(page, "cross", 1)
    page.get_by_label("Another class").fill("ring")
    page.keyboard.press("Enter")
    learned(page, "ring", 1)
    expect(page.locator(HEADLINE)).to_have_text("ring")  # it has learned
    page.locator("#undo").click()
    expect(page.locator(HEADLINE)).to_have_text("circle")
    page.reload()
    expect(page.locator(HEADLINE)).to_have_text("circle")  # the stroke too is still there
    page.get_by_role("button", name="Undo stroke").click()
    page.get_by_role("button", name="Clear").click()
    expect(page.locator(".headline")).to_have_text(re.compile("answered here"))


@pytest.mark.slow
@SIZES
def test_draw(visit, client, size, tmp_path):
    visitor = visit(size)
    page = visitor.go()
    page.fill("[placeholder='New class']", "square")
    page.get_by_role("button", name="Add a class").click()
    expect(page.locator(".class")).to_have_count(4)
    for label, strokes in (("square", SQUARE), ("circle", CIRCLE), ("cross", CROSS), ("wave", WAVE)):
        page.get_by_role("button", name=f"Draw more of {label}").click()
        box = f'.class[data-label="{label}"]'
        for i in range(2 if label != "square" else 3):
            draw(page, [[(x, y + 0.03 * i) for x, y in stroke] for stroke in strokes], f"{box} canvas")
            page.locator(f"{box} .primary").click()
            learned(page, label, 2 + i if label != "square" else 1 + i)
        page.locator(box).get_by_role("button", name="Done").click()
    assert counts(client, page) == {"circle": 3, "cross": 3, "square": 3, "wave": 3}

    draw(page, SQUARE)
    expect(page.locator(HEADLINE)).to_have_text("square")
    expect(page.locator(".answer")).to_contain_text("in this set: square")
    page.get_by_role("button", name="Clear").click()
    scribble = [[(0.1 + 0.8 * (i % 2), 0.1 + i / 30) for i in range(25)], *CROSS, *CIRCLE]
    draw(page, scribble)
    expect(page.locator(HEADLINE)).to_have_text("none of these")
    expect(page.locator(".answer")).to_contain_text("unlike all examples")

    page.get_by_label("Name of class square").fill("box")
    page.keyboard.press("Enter")
    learned(page, "box", 3)
    assert counts(client, page) == {"box": 3, "circle": 3, "cross": 3, "wave": 3}
    page.locator("#undo").click()
    learned(page, "square", 3)
    page.get_by_role("button", name="Remove class wave").click()
    expect(page.locator(".class")).to_have_count(3)
    page.locator("#undo").click()
    learned(page, "wave", 3)
    page.locator('.class[data-label="wave"] .thumb').first.click()
    learned(page, "wave", 2)

    with page.expect_download() as download:
        page.locator("#save").click()
    archive = tmp_path / "saved.zip"
    download.value.save_as(archive)
    assert "config.json" in {Path(each).name for each in zipfile.ZipFile(archive).namelist()}
    before = page.url
    page.locator("#new").click()
    expect(page.locator(".class-head .small").first).to_have_text("1 example")
    page.locator("#open").click()
    page.locator("#zip-file").set_input_files(archive)
    learned(page, "wave", 2)
    expect(page.locator("body")).to_have_attribute("data-ready", page.url.rpartition("/")[2])
    assert page.url != before
    assert counts(client, page) == {"circle": 3, "cross": 3, "square": 3, "wave": 2}
    draw(page, SQUARE)
    expect(page.locator(".bar", has_text="square").locator(".number")).to_have_text(re.compile(r"[6-9]\d %|> 99 %"))
    with page.expect_download(timeout=10 * PATIENCE) as download:  # the slowest of all requests
        page.locator("#onnx").click()
    assert Path(download.value.path()).stat().st_size > 10_000


def test_a_pad_is_drawn_on_by_keyboard(visit):
    page = visit().go()
    page.locator("#ask-pad").focus()
    for key in ["ArrowLeft"] * 8 + ["Space"] + ["ArrowRight"] * 16 + ["Space"]:
        page.keyboard.press(key)
    expect(page.locator(HEADLINE)).to_be_visible()
    page.keyboard.press("Control+z")
    expect(page.locator(".headline")).to_have_text(re.compile("answered here"))
