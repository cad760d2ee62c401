"""The site: every public name and every learner is on it, and no page asks another origin for anything."""

import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import quickstudy
import quickstudy.testing
from quickstudy.learners import LEARNERS

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
NEEDED = ("mkdocs", "material", "mkdocstrings", "mkdocstrings_handlers.python")


def test_each_public_name_is_in_the_reference_once():
    places = [
        place
        for page in sorted((DOCS / "api").glob("*.md"))
        for place in re.findall(r"^::: (\S+)$", page.read_text("utf-8"), re.MULTILINE)
    ]
    assert len(places) == len(set(places))
    rooms = [place for place in places if place.startswith("quickstudy.rl.")]
    assert sorted(place.rpartition(".")[2] for place in rooms) == sorted(quickstudy.rl.__all__)
    places = [place for place in places if place not in rooms]
    names = [place.rpartition(".")[2] for place in places]
    public = [*(name for name in quickstudy.__all__ if name != "rl"), *quickstudy.testing.__all__]
    assert sorted(names) == sorted(public), "docs/api: " + ", ".join(sorted({*names} ^ {*public}))
    for place in places:  # the address is that of the name itself
        module, _, name = place.rpartition(".")
        value = getattr(importlib.import_module(module), name)
        assert value is getattr(quickstudy.testing if "testing" in module else quickstudy, name), place


def test_each_learner_has_its_formula_and_its_paper():
    text = (DOCS / "learners.md").read_text("utf-8")
    sections = dict(re.findall(r"^### (.+?): .+?\n(.*?)(?=^##|\Z)", text, re.MULTILINE | re.DOTALL))
    assert sections.keys() == LEARNERS.builtin
    for name, section in sections.items():
        learner = LEARNERS[name]
        assert f"### {name}: {learner.__name__}\n" in text
        fences = re.findall(r"^```text\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
        assert [re.findall(r"^(\w+ \w+)  ", fence, re.MULTILINE) for fence in fences] == [["inner step", "outer loss"]]
        assert re.search(r"Take\s+it", section), name
        source = re.search(r"Source: (.*?)(?:\n\n|\Z)", learner.__doc__, re.DOTALL)[1]
        papers = re.findall(r"arXiv:([\d.]*\d)", source)
        assert re.findall(r"\[arXiv:([\d.]+)\]\(https://arxiv.org/abs/\1\)", section) == papers, name
        assert papers or "Koch, Zemel and Salakhutdinov 2015" in section


def test_the_glossary_is_in_order():
    words = re.findall(r"^(\w.*)\n:   \w", (DOCS / "glossary.md").read_text("utf-8"), re.MULTILINE)
    assert words == sorted(words, key=str.lower)
    needed = {"episode", "support", "query", "shot", "way", "inductive", "transductive", "conformal set", "coverage"}
    assert needed <= {word.lower() for word in words}


def test_oldest_versions_are_those_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    bounds = dict(need.split(">=") for need in project["dependencies"])
    lines = (ROOT / "constraints-oldest.txt").read_text("utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    assert pins.keys() == bounds.keys()
    for name, bound in bounds.items():
        assert pins[name].removesuffix(".0") == bound.removesuffix(".0") or pins[name].startswith(f"{bound}.0"), name


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    for name in NEEDED:
        try:
            importlib.import_module(name)
        except ImportError:
            pytest.skip("needs pip install 'quickstudy[docs]'")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.slow
def test_no_page_asks_another_origin(site):
    pages = sorted(site.rglob("*.html"))
    assert len(pages) > 25
    for page in pages:
        html = page.read_text("utf-8")
        fetched = re.findall(r"<(?:script|img|iframe|source|video|audio|embed|object)\b[^>]*>", html)
        fetched += [tag for tag in re.findall(r"<link\b[^>]*>", html) if 'rel="canonical"' not in tag]
        assert not [tag for tag in fetched if re.search(r"=[\"']?(?:https?:)?//", tag)], page
        assert 'class="mermaid"' not in html  # its program would be fetched
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", html), page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"@import|url\([\"']?(?:https?:)?//", sheet.read_text("utf-8")), sheet


@pytest.mark.slow
def test_every_link_and_picture_of_the_site_is_there(site):
    pages = {page: page.read_text("utf-8") for page in site.rglob("*.html") if page.name != "404.html"}
    for page, html in pages.items():
        for link in re.findall(r"<(?:a|img|script|link)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"", html):
            path, _, anchor = link.partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (page.parent / path).resolve() if path else page
            target = target / "index.html" if target.is_dir() else target
            assert target.is_file(), (page.name, link)
            if anchor and target in pages and not anchor.startswith("__"):
                assert f'id="{anchor}"' in pages[target], (page.name, link)


@pytest.mark.slow
def test_examples_of_docstrings_are_code_and_not_quotations(site):
    for page in (site / "api").glob("*.html"):
        html = page.read_text("utf-8")
        assert "<blockquote>" not in html, page
        if page.name != "index.html" and page.name != "inputs.html":
            assert "&gt;&gt;&gt; " in re.sub(r"<[^>]+>", "", html), page
