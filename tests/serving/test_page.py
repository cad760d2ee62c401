"""The page, in a real browser, against a real server."""

import io
import re
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.serving.browser import CIRCLE, CROSS, DESKTOP, PATIENCE, PHONE, SQUARE, WAVE, Visit, chromium, draw, faults
from tests.serving.conftest import drawing, server

SIZES = pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
HEADLINE = ".headline strong"


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


def expect(*arguments):
    from playwright.sync_api import expect

    return expect(*arguments)


def counts(client, page):
    """What the server has learned for a page."""
    name = page.url.rpartition("/")[2]
    return client.get(f"/v1/classifiers/{name}?check=false").json()["labels"]


def learned(page, label, n):
    expect(page.locator(f'.class[data-label="{label}"] .class-head .small')).to_have_text(
        f"{n} example{'s' if n > 1 else ''}"
    )
    expect(page.locator(".waiting")).to_have_count(0)


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


def colours(folder: Path, per_class: int = 5) -> Path:
    """Generated pictures of two classes: sunsets and meadows, larger than the page sends them."""
    for label, top, bottom in (("sunset", (250, 150, 60), (90, 30, 80)), ("meadow", (150, 200, 250), (60, 140, 40))):
        (folder / label).mkdir(parents=True)
        for i in range(per_class):
            share = np.linspace(0, 1, 900)[:, None, None]
            levels = np.broadcast_to(share * bottom + (1 - share) * top, (900, 1300, 3))
            noise = np.random.default_rng(i).normal(0, 6, levels.shape)
            picture = Image.fromarray((levels + noise).clip(0, 255).astype("uint8"))
            place = (200 + 90 * i, 150, 400 + 90 * i, 350)
            ImageDraw.Draw(picture).ellipse(place, fill=(255, 240, 180) if label == "sunset" else (240, 250, 255))
            picture.save(folder / label / f"{i}.jpg", quality=90)
    return folder


DROP = """async ([target, files]) => {
  const transfer = new DataTransfer();
  for (const [name, content] of files) {
    const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
    transfer.items.add(new File([bytes], name, { type: "image/jpeg" }));
  }
  const drop = new DragEvent("drop", { dataTransfer: transfer, bubbles: true, cancelable: true });
  document.querySelector(target).dispatchEvent(drop);
}"""
PASTE = """([content]) => {
  const transfer = new DataTransfer();
  const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
  transfer.items.add(new File([bytes], "pasted.jpg", { type: "image/jpeg" }));
  document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: transfer, bubbles: true }));
}"""


def encoded(path: Path) -> str:
    import base64

    return base64.b64encode(path.read_bytes()).decode()


@pytest.mark.slow
@SIZES
def test_photographs(visit, client, size, tmp_path):
    folder = colours(tmp_path / "pictures")
    page = visit(size).go("/#/photos")
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose a folder of classes").click()
    chooser.value.set_files(folder)
    learned(page, "sunset", 5)
    learned(page, "meadow", 5)
    assert counts(client, page) == {"meadow": 5, "sunset": 5}
    new = colours(tmp_path / "new", 6)
    with page.expect_file_chooser() as chooser:
        page.get_by_role("button", name="Choose pictures").click()
    chooser.value.set_files([new / "sunset" / "5.jpg", new / "meadow" / "5.jpg"])
    expect(page.locator(".pile li")).to_have_count(2)
    expect(page.locator(".pile .tag").first).not_to_have_text("…")
    expect(page.locator(".heat img")).to_be_visible()
    page.get_by_role("button", name="Which one to label next?").click()
    expect(page.locator(".pile .best")).to_have_count(1)
    page.reload()
    expect(page.locator(".pile li")).to_have_count(2)
    page.locator(".pile .entry").first.click()
    expect(page.locator(HEADLINE)).to_be_visible()
    label = page.locator(HEADLINE).inner_text()
    page.locator(".bar").filter(has_text="sunset").click()
    learned(page, "sunset", 6)
    expect(page.locator(".pile li")).to_have_count(1)
    assert label in ("sunset", "meadow", "none of these")
    page.evaluate(DROP, ['.class[data-label="meadow"]', [["6.jpg", encoded(new / "meadow" / "4.jpg")]]])
    learned(page, "meadow", 6)
    page.evaluate(PASTE, [encoded(new / "meadow" / "3.jpg")])
    expect(page.locator(".pile li")).to_have_count(2)
    page.evaluate(DROP, ["main", [["notes.jpg", "bm90IGEgcGljdHVyZQ=="]]])
    expect(page.locator(".pile li")).to_have_count(3)


@pytest.mark.slow
def test_webcam(visit, client):
    page = visit().go("/#/photos")
    page.get_by_role("button", name="Use the webcam").click()
    expect(page.locator("video")).to_be_visible()
    for label in ("class 1", "class 2"):
        hold = page.get_by_role("button", name=f"Hold to take up to ten pictures of {label}")
        hold.hover()
        page.mouse.down()
        expect(hold).to_have_text(re.compile("^([3-9]|10) of 10"))
        page.mouse.up()
        expect(page.locator(f'.class[data-label="{label}"] .class-head .small')).to_have_text(
            re.compile(r"^\d+ examples")
        )
    expect(page.locator(".waiting")).to_have_count(0)
    assert all(3 <= n <= 10 for n in counts(client, page).values())
    expect(page.locator(HEADLINE)).to_be_visible()  # the camera's present picture is answered
    page.get_by_role("button", name="Stop the webcam").click()
    expect(page.locator("video")).to_be_hidden()


@pytest.mark.slow
def test_a_shrunk_picture_is_answered_alike(visit, client, tmp_path):
    """What the page sends instead of a large picture, and the picture itself."""
    folder = colours(tmp_path / "pictures")
    files = [
        ("files", (f"{path.parent.name}/{path.name}", path.read_bytes())) for path in sorted(folder.rglob("*.jpg"))
    ]
    assert client.post("/v1/classifiers", files=files, data={"name": "shrunk", "kind": "photos"}).status_code == 201
    page = visit().go()
    for path in sorted(colours(tmp_path / "new", 7).rglob("*.jpg"))[::3]:
        small = page.evaluate(
            """async ([content]) => {
              const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
              const { prepared } = await import("./js/pictures.js");
              const { blob } = await prepared(new File([bytes], "large.jpg", { type: "image/jpeg" }));
              return [...new Uint8Array(await blob.arrayBuffer())];
            }""",
            [encoded(path)],
        )
        assert max(Image.open(io.BytesIO(bytes(small))).size) == 1024
        both = [
            client.post("/v1/classifiers/shrunk/predict", files=[("files", ("new.jpg", content))]).json()["answers"][0]
            for content in (path.read_bytes(), bytes(small))
        ]
        assert both[0]["label"] == both[1]["label"]
        assert abs(both[0]["confidence"] - both[1]["confidence"]) < 0.05


@pytest.mark.slow
@SIZES
def test_sentences(visit, client, size):
    page = visit(size).go("/#/sentences")
    page.fill("#ask-text", "My parcel is lost")
    expect(page.locator(HEADLINE)).to_have_text("delivery")
    expect(page.locator(".words")).to_contain_text("parcel")
    expect(page.locator(".why .lines li").first).to_contain_text("delivery")
    page.get_by_label("Add a line to payment").fill("I want my money back\nIs there a discount?")
    page.keyboard.press("Enter")
    learned(page, "payment", 5)
    assert counts(client, page) == {"delivery": 3, "opening hours": 3, "payment": 5}
    page.fill("#ask-text", "Thanks a lot, you are great")
    page.fill("[placeholder='New class']", "thanks")
    page.get_by_role("button", name="Add a class").click()
    page.get_by_label("Add a line to thanks").fill("Thank you")
    page.keyboard.press("Enter")
    learned(page, "thanks", 1)
    expect(page.locator(HEADLINE)).to_have_text("thanks")
    expect(page.locator(".answer")).to_contain_text("Still missing: 1 of thanks")
    expect(page.locator("#advice")).to_contain_text("add 1 of thanks")
    page.get_by_role("button", name="Remove “Thank you”").click()
    expect(page.locator('.class[data-label="thanks"]')).to_have_count(0)


@pytest.mark.slow
def test_what_looks_wrong_is_shown_and_mended(visit, client):
    page = visit().go("/#/sentences")
    page.get_by_label("Add a line to payment").fill("The parcel has not arrived\nMy parcel is late")
    page.keyboard.press("Enter")
    learned(page, "payment", 5)
    expect(page.locator("#advice")).to_contain_text("looks like delivery")
    page.get_by_role("button", name="Move to delivery").first.click()
    learned(page, "payment", 4)
    learned(page, "delivery", 4)


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
        for i in range(n)
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
