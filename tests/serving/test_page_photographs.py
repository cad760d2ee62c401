"""The page of photographs, in a real browser, against a real server."""

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from tests.serving.browser import HEADLINE, SIZES, counts, expect, learned


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
