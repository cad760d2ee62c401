"""No figure that was measured is a literal in the sentences of docs/results.md: all come from the records.

What may be a literal are figures of papers, which are cited, and how something was measured. Both are listed below.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.results.tables import ROOT

FILES = sorted((ROOT / "benchmarks" / "results").glob("*.py"))

PUBLISHED = {
    "cifar": [
        "nearest mean 57.7 and 81.0 %",
        "table 1",
        "Prototypical 55.5 and 72.0 %",
        "RFS 62.7 and 78.7 %",
        "distilled 63.8 and 79.5 %",
        "with half as many filters has 58.9 and 71.5 %",
        "Prototypical 35.3 and 48.6 %",
        "RFS 39.6 and 53.5 %",
    ],
    "lake": ["err in 4.5 %", "Learning in 3.3 %", "in 13.5 %", "in 13.7 %", "and 30.1 %"],
}
"""Figures of papers, by section."""

PROTOCOL = {
    "cifar": ["length 1"],
    "elsewhere": ["5-way accuracy", "32x32", "0 to 4", "5 to 9", "all ten", "28x28"],
    "encoders": ["of length 1", "by five shots"],
    "lake": ["asked twice", "20 characters", "from four sides"],
    "leaderboard": [
        "step takes 0.4 s",
        "tasks of 5 ways",
        " of 20",
        "5-way 1-shot",
        "64-way 1-shot",
        "two intervals",
        "95% interval",
    ],
    "photos": ["40 categories", "20 photographs each", "20 categories", "a tenth of", "95th", "R2D2", " tenth"],
    "page": ["95% interval"],
    "rl": [
        "2D navigation",
        "0 to 3 updates",
        "halves it once",
        "a fifth of",
        "1 update",
        "2 updates",
        "3 updates",
        "two standard errors",
    ],
    "seeds": ["rate of 0.001", "19 of 20", "one or two seeds"],
    "serve": ["95th percentile"],
    "shipped": ["5-way 1-shot", "a tenth of", "one wrong label of 25", "5-way 5-shot", "p50, p95"],
    "sinusoids": [
        "inner rate of 0.001",
        "0.1 to 5",
        "0 to pi",
        "two standard deviations of 0.01",
        "biases at 0",
        "up to 10",
        "above 100",
    ],
    "studies": ["5-way 1-shot", "best third"],
    "text": ["on five domains", "on three that", "95 % intervals", "5-way 5-shot", "coverage of 90 %"],
    "transductive": ["of length 1", "40 categories"],
}
"""How it was measured, by section: ways and shots, splits, rates, what an interval is."""

_NUMBER = re.compile(
    r"\d|\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|twenty|half|third|fifth|tenth|twice|thrice)\b",
    re.IGNORECASE,
)
_NAME = re.compile(r"`[^`]*`|arXiv:\S+|et al\.,?( \d{4},)* \d{4}|\b[A-Za-z][\w.+-]*\d[\w.+-]*|\b[A-Za-z]+-\d+")
"""What holds digits and is no figure: code, papers, names such as conv4-64 or Caltech-101."""


def literals(tree: ast.AST) -> Iterator[str]:
    """Every part of every string that may reach the page: no docstring, no key of a record, no format."""
    if isinstance(tree, ast.Expr) and isinstance(tree.value, ast.Constant):
        return
    if isinstance(tree, ast.Constant) and isinstance(tree.value, str):
        yield tree.value
    hidden = "slice" if isinstance(tree, ast.Subscript) else "format_spec"
    for name, field in ast.iter_fields(tree):
        for node in field if isinstance(field, list) else [field]:
            if isinstance(node, ast.AST) and name != hidden:
                yield from literals(node)


def unlisted(source: str, section: str) -> list[str]:
    """Sentences that hold a number that is on no list."""
    allowed = sorted([*PUBLISHED.get(section, []), *PROTOCOL.get(section, [])], key=len, reverse=True)
    wrong = []
    for text in literals(ast.parse(source)):
        rest = _NAME.sub(" ", text)
        for phrase in allowed:
            rest = rest.replace(phrase, " ")
        if _NUMBER.search(rest):
            wrong.append(text)
    return wrong


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_no_measured_figure_is_a_literal(path: Path):
    if path.stem == "figures":
        pytest.skip("draws, writes no sentence")
    assert unlisted(path.read_text(), path.stem) == []


def test_a_literal_figure_is_noticed():
    assert unlisted('said = f"Ours errs in 3.2 % of {n} runs"', "lake")
    assert unlisted('said = "it wins in two of all"', "lake")
    assert not unlisted('said = f"Ours errs in {error:.2f} % of {n} runs; people err in 4.5 %"', "lake")


def test_each_figure_on_the_lists_is_in_its_section():
    for lists in (PUBLISHED, PROTOCOL):
        for section, phrases in lists.items():
            texts = "\n".join(literals(ast.parse((ROOT / "benchmarks" / "results" / f"{section}.py").read_text())))
            assert [phrase for phrase in phrases if phrase not in texts] == [], section
