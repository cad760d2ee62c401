"""What the pages say runs as it stands: each block alone, pasted into an empty folder."""

import re
import shlex
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
MARK = "# takes "
"""How a block begins that takes long."""


class Block(NamedTuple):
    """A fenced block: where it is, its language (none for a bare fence), and its text."""

    name: str
    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    content = page.read_text("utf-8")
    return [
        Block(f"{page.stem}:{content[: match.start()].count(chr(10)) + 1}", match[1], match[2])
        for match in re.finditer(r"^```(\w*)\n(.*?)^```", content, re.DOTALL | re.MULTILINE)
    ]


def commands(text: str) -> list[list[str]]:
    """The arguments of each line, without comments; a backslash continues a line."""
    lines = text.replace("\\\n", " ").splitlines()
    return [words for line in lines if (words := shlex.split(line, comments=True))]


ALL = [block for page in PAGES for block in blocks(page)]
PYTHON = [block for block in ALL if block.language == "python"]
SERVER = re.compile(r"^quickstudy serve", re.MULTILINE)
"""A block with a server, which does not end; tests/serving runs them."""
SHELL = [
    block
    for block in ALL
    if re.search(r"^quickstudy ", block.text, re.MULTILINE) and block not in PYTHON and not SERVER.search(block.text)
]
LONG = [block for block in SHELL if block.text.startswith(MARK)]


def run(block: Block, cli) -> None:
    for program, *arguments in commands(block.text):
        assert program == "quickstudy", block.name
        code, out, err = cli(*arguments)
        assert code == 0, (block.name, arguments, err)
        assert not err or "ended after 1 minutes" in err, (block.name, arguments, err)  # on a busy machine
        assert out, (block.name, arguments)


@pytest.fixture(autouse=True)
def empty(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")


@pytest.mark.parametrize("block", [b for b in SHELL if b not in LONG], ids=lambda block: block.name)
def test_a_block_of_commands_runs_in_an_empty_folder(block, cli):
    run(block, cli)
    page = Path("why.html")
    assert "why.html" not in block.text or "<html" in page.read_text()


@pytest.mark.parametrize("block", PYTHON, ids=lambda block: block.name)
def test_a_block_of_python_runs_in_an_empty_folder(block, capsys):
    exec(compile(block.text, block.name, "exec"), {"__name__": "__main__"})
    assert capsys.readouterr().out or "print(" not in block.text


@pytest.mark.slow
@pytest.mark.parametrize("block", [b for b in LONG if "two minutes" in b.text], ids=lambda block: block.name)
def test_a_block_of_minutes_runs_in_an_empty_folder(block, cli):
    run(block, cli)


def test_few_blocks_are_not_run():
    """Those that train for hours: Omniglot's results and figures of papers, several machines."""
    assert [block.name.partition(":")[0] for block in LONG if "two minutes" not in block.text] == [
        "omniglot",
        "omniglot",
        "scaling",
        "scaling",
    ]
    assert sum("two minutes" in block.text for block in LONG) == 2
    assert (len(PYTHON), len(SHELL)) >= (8, 11)


def test_commands_are_those_of_the_command_line():
    from quickstudy.cli.app import COMMANDS

    known = {command.__name__ for command in COMMANDS} | {"rl"}
    for block in LONG:
        for program, name, *_ in commands(block.text):
            assert program != "quickstudy" or name in known, block.name


def test_own_learner_is_under_40_lines():
    [block] = [block for block in PYTHON if "class Ridge" in block.text]
    assert len(block.text.splitlines()) < 40


def test_every_link_of_the_pages_leads_somewhere():
    for page in PAGES:
        content = page.read_text("utf-8")
        for link in re.findall(r"\]\(([^)]+)\)", content):
            path, _, anchor = link.partition("#")
            if "://" in link:
                continue
            assert (page.parent / path).exists(), f"{page.name}: {link}"
            if anchor:
                titles = re.findall(r"^#+ (.*)$", (page.parent / path).read_text("utf-8"), re.MULTILINE)
                assert anchor in {re.sub(r"[^\w -]", "", t.lower()).replace(" ", "-") for t in titles}, link
