"""What the pages say runs as it stands, commands and Python."""

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from quickstudy.tasks.glyphs import draw_glyphs

DOCS = Path(__file__).parents[1] / "docs"
MORE = ("please", "now", "today", "at once", "my friend", "if you can", "again", "tomorrow")
PAGES = ["photos", "text", "tables", "new-learner", "new-input", "own-net"]


def blocks(page: str, kind: str) -> list[str]:
    return re.findall(rf"```{kind}\n(.*?)```", (DOCS / f"{page}.md").read_text("utf-8"), re.DOTALL)


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A folder with what the pages speak of."""
    monkeypatch.chdir(tmp_path)
    data = draw_glyphs(range(4), 5)
    for folder, classes, drawings in (("my-pictures", (0, 1, 2), 3), ("more-pictures", (3,), 3)):
        for c in classes:
            Path(folder, data.names[c]).mkdir(parents=True)
            for i in range(drawings):
                Image.fromarray(255 - data.x[5 * c + i, 0].numpy()).save(Path(folder, data.names[c], f"{i}.png"))
    Path("unsorted").mkdir()
    for name, i in (("new1.png", 3), ("new2.png", 8), ("unsorted/a.png", 4), ("unsorted/b.png", 19)):
        Image.fromarray(255 - data.x[i, 0].numpy()).save(name)
    intents = {"parcel": "where is my package", "refund": "give me the money again", "card": "my card is lost"}
    intents |= {f"kind{c}": f"tell me of number {c}" for c in range(7)}
    rows = [f"{text} {more},{label}" for label, text in intents.items() for more in MORE]
    Path("intents.csv").write_text("\n".join(["text,label", *rows]))
    for name in ("few", "tickets"):
        Path(f"{name}.csv").write_text("\n".join(["text,label", *rows[: 2 * len(MORE)]]))
    Path("new.csv").write_text("text\nwhere is my package\n")
    return data


def write_stones():
    def rows(kinds, n, label=True):
        draw = np.random.default_rng(0)
        lines = [
            f"{c + draw.normal(0, 0.1):.2f},{'red' if c % 2 else 'grey'}" + f",kind{c}" * label
            for c in kinds
            for _ in range(n)
        ]
        return "\n".join(["width,colour" + ",label" * label, *lines])

    Path("stones.csv").write_text(rows(range(20), 6))
    Path("few.csv").write_text(rows((30, 41), 3))
    Path("unknown.csv").write_text(rows((30, 41), 2, label=False))


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "console")])
def test_every_command_of_a_page_runs(page, place, cli):
    if page == "tables":
        write_stones()
    for command in "".join(blocks(page, "console")).splitlines():
        program, *arguments = shlex.split(command)
        assert program == "quickstudy"
        code, out, err = cli(*arguments)
        assert (code, err) == (0, ""), command
        assert out, command
    if page != "tables":
        assert "<html" in Path("why.html").read_text()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")])
def test_all_python_of_a_page_runs(page, place, capsys):
    shown = [i for i in range(20) if i % 5 < 3]
    names = {
        "images": place.x[shown],
        "pictures": [Image.fromarray(255 - place.x[i, 0].numpy()) for i in shown],
        "labels": [place.names[int(place.y[i])] for i in shown],
        "new_pictures": ["new1.png", "new2.png"],
        "more_pictures": ["new1.png"],
        "more_labels": ["another"],
    }
    if page == "tables":
        write_stones()
    if page == "text":
        names |= {"texts": ["where is my package", "my money back"], "labels": ["parcel", "refund"]}
    for block in blocks(page, "python"):
        exec(compile(block, page, "exec"), names)
    if page == "new-learner":
        assert capsys.readouterr().out.count("over 50 tasks, inductive") == 2


def test_every_link_of_the_pages_leads_somewhere():
    for page in (*DOCS.glob("*.md"), DOCS.parent / "README.md"):
        content = page.read_text("utf-8")
        for link in re.findall(r"\]\(([^)]+)\)", content):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            assert (page.parent / path).exists(), f"{page.name}: {link}"
            if anchor:
                titles = re.findall(r"^#+ (.*)$", (page.parent / path).read_text("utf-8"), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}, link
