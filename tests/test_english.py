"""Docstrings, comments and messages are plain English, for a colleague who joined today and has another first language.

A docstring starts with a verb phrase ("Return the mean") or a noun phrase with its noun ("Mean accuracy over tasks"). A
sentence has at most 25 words. Some words have a plain replacement and must not occur.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import quickstudy

ROOT = Path(quickstudy.__file__).parent

PAGES = [ROOT.parent / "README.md", ROOT.parent / "CONTRIBUTING.md", *sorted((ROOT.parent / "docs").glob("*.md"))]
"""Pages that are read from the first line to the last; CHANGELOG.md is not."""

WORDS = {
    "afresh": "from zero, again",
    "anew": "again",
    "anybody's": "any",
    "apt": "suitable",
    "asunder": "apart",
    "aught": "anything",
    "beheld": "seen",
    "dealt": "assigned",
    "deaf": "does not depend on",
    "dear": "expensive",
    "eyes": "the model that compares",
    "goes on": "continues",
    "go on": "continue",
    "going on": "continuing",
    "hear": "receive, read",
    "hears": "receives, reads",
    "heard": "received, read",
    "is none": "is missing, is invalid, is not a ...",
    "kin": "of the same kind",
    "lend": "give",
    "lends": "gives",
    "mend": "repair, fix",
    "mended": "repaired, fixed",
    "mends": "repairs, fixes",
    "nobody": "say what does not happen",
    "of one's own": "your own",
    "of its own": "its own, or say which",
    "of their own": "their own, or say which",
    "once more": "again",
    "promise": "guarantee, coverage",
    "promised": "guaranteed",
    "promises": "guarantees",
    "read again": "load",
    "stranger": "unknown, untrusted",
    "strangers": "unknown or untrusted files, people, inputs",
    "tell": "report, show",
    "tells": "reports, prints, shows",
    "thereof": "of it",
    "to be had": "available",
    "told": "reported, given",
    "whole or not at all": "atomic",
    "wont": "usual",
}
"""Words and phrases that must not occur, and what to write instead."""

OPENERS = {
    "as", "at", "by", "for", "from", "how", "if", "in", "of", "on", "than", "that", "to", "what", "when", "where",
    "which", "who", "whose", "why", "with", "without",
}  # fmt: skip
"""Words that no docstring and no text of an argument may start with, since a noun or verb is missing before them.

"Whether" may: it is how a yes or no is described.
"""

NAMES = {"asked", "found", "kept", "shown", "told"}
"""Names that no variable may have: a variable is a noun (``result``, ``paths``)."""

LONGEST = 25
"""Words of a sentence, at most."""

_ABBREVIATION = re.compile(r"\b(al|eq|eqs|e\.g|i\.e|vs|cf|etc|approx|fig|sec|no)\.", re.IGNORECASE)
_ENTRY = re.compile(r"^\*{0,2}[A-Za-z_]\w*(?:, [A-Za-z_]\w*)*: ")
_SECTIONS = ("Args:", "Attributes:", "Raises:", "Returns:", "Yields:")
_LITERAL = re.compile(r"``.*?``|\bhttps?://\S*\w|\barXiv:[\w./]*\w|\b\S+\(\)|<[^>]*>", re.DOTALL)


_LINK = re.compile(r"!?\[((?:[^][]|\[[^]]*\])*)\]\([^)]*\)")
_PAGE_CODE = re.compile(r"`[^`]*`|\$[^$]*\$|<[^>]*>")
_EMPHASIS = re.compile(r"\*+(?=\S)|(?<=\S)\*+")


def files() -> list[Path]:
    return sorted(ROOT.rglob("*.py"))


def docstrings(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every docstring, including those below a constant."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            yield node.lineno, node.value.value


def messages(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every other string of several words, the parts of an f-string one by one."""
    documented = {line for line, _ in docstrings(tree)}
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and node.lineno not in documented and len(text.split()) > 2:
            yield node.lineno, text


def comments(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT and not token.string.startswith(("# type:", "# fmt:", "# noqa")):
            yield token.start[0], token.string.lstrip("# ")


def paragraphs(docstring: str) -> list[str]:
    """Prose of a docstring in pieces: paragraphs and the texts of arguments, without doctests, code and sources."""
    pieces: list[str] = []
    code, depth, base = False, 0, 0
    for i, line in enumerate(docstring.expandtabs().splitlines()):
        text = line.strip()
        indent = len(line) - len(line.lstrip())
        if not text:
            code = False
            pieces.append("")
            continue
        if i and not base:
            base = indent
        if text.startswith((">>>", "Source:")) or (i and pieces and not pieces[-1] and indent > base and not depth):
            code = True
        if code:
            continue
        if text in _SECTIONS:
            depth = indent + 4
            pieces += [""]
        elif i and depth and indent < depth:
            depth = 0
            pieces.append(text)
        elif i and depth and indent == depth and _ENTRY.match(text):
            pieces += ["", _ENTRY.sub("", text)]
        elif pieces and pieces[-1]:
            pieces[-1] += f" {text}"
        else:
            pieces.append(text)
    return [piece for piece in pieces if piece]


def sentences(piece: str) -> list[str]:
    """Sentences of a piece; code counts as one word, and formulas and shapes as none."""
    plain = _LITERAL.sub("Code", piece)
    plain = _ABBREVIATION.sub(lambda match: match[1], plain)
    return [part for part in re.split(r"(?<=[.!?])[\"')]*\s+(?=[\"'(A-Z`])", plain) if part.strip()]


def words(sentence: str) -> list[str]:
    """Words of a sentence: single letters (but "a" and "I"), numbers and symbols belong to formulas."""
    return [word for word in re.findall(r"[A-Za-z][\w'-]*", sentence) if len(word) > 1 or word in "aAI"]


def forbidden(text: str) -> list[str]:
    plain = _LITERAL.sub(" ", text)
    return [word for word in WORDS if re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", plain, re.IGNORECASE)]


def openings(docstring: str) -> list[str]:
    """First words of a docstring and of the texts of its arguments that miss a noun or a verb."""
    lines = docstring.strip().splitlines()
    texts = lines[:1] + [_ENTRY.sub("", line.strip()) for line in lines[1:] if _ENTRY.match(line.strip())]
    firsts = [(re.findall(r"^[A-Za-z]+(?![\w-])", text) or [""])[0].lower() for text in texts]
    return [text for text, first in zip(texts, firsts, strict=True) if first in OPENERS]


def faults(path: Path) -> list[str]:
    source = path.read_text("utf-8")
    tree = ast.parse(source)
    lines = []
    for number, text in [*docstrings(tree), *comments(source), *messages(tree)]:
        lines += [f"{number}: {word!r}, write {WORDS[word]}" for word in forbidden(text)]
    for number, text in docstrings(tree):
        lines += [f"{number}: starts without a noun or a verb: {opening!r}" for opening in openings(text)]
        for piece in paragraphs(text):
            lines += [f"{number}: {len(words(s))} words: {s}" for s in sentences(piece) if len(words(s)) > LONGEST]
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in NAMES:
            lines.append(f"{node.lineno}: the variable {node.id!r} is no noun")
    return lines


@pytest.mark.parametrize("path", files(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_the_english_is_plain(path):
    lines = faults(path)
    assert not lines, "\n".join([str(path.relative_to(ROOT)), *lines])


def prose(page: str) -> list[tuple[int, str]]:
    """Line and text of each paragraph, item and table row of a page, without code."""
    blank = re.sub(r"^```.*?^```", lambda match: "\n" * match[0].count("\n"), page, flags=re.DOTALL | re.MULTILINE)
    blank = re.sub(r"^\$\$.*?\$\$", lambda match: "\n" * match[0].count("\n"), blank, flags=re.DOTALL | re.MULTILINE)
    pieces: list[tuple[int, str]] = []
    for number, line in enumerate(blank.splitlines(), 1):
        text = line.strip()
        starts = not text or text.startswith(("#", "|", "- ", "* ", ":::", ">", "!!!")) or re.match(r"\d+\. ", text)
        if starts or not pieces or pieces[-1][0] == 0:
            pieces.append((number if text else 0, text))
        else:
            pieces[-1] = pieces[-1][0], f"{pieces[-1][1]} {text}"
    pieces = [(number, _PAGE_CODE.sub(" Code ", _LINK.sub(r"\1", text))) for number, text in pieces if number]
    return [(number, _EMPHASIS.sub("", text)) for number, text in pieces]


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_the_english_of_a_page_is_plain(path):
    lines = []
    for number, text in prose(path.read_text("utf-8")):
        lines += [f"{number}: {word!r}, write {WORDS[word]}" for word in forbidden(text)]
        if not text.startswith("|"):
            lines += [f"{number}: {len(words(s))} words: {s}" for s in sentences(text) if len(words(s)) > LONGEST]
    assert not lines, "\n".join([path.name, *lines])


def test_words_are_seen_as_words_alone():
    assert forbidden("It tells so.") == ["tells"]
    assert forbidden("Its manifest is none.") == ["is none"]
    assert not forbidden("an intellect; ``tells``; a kindness")


@pytest.mark.parametrize("text", ["Of the input.", "Mean.\n\n    Args:\n        x: Of the input."])
def test_an_opening_without_a_noun_is_seen(text):
    assert openings(text)


def test_sentences_are_counted_without_code_and_sources():
    long = " ".join(["word"] * 30)
    text = f"""Short one. Another word, e.g. of (n, d).

    {long}.

    Args:
        x: {long}.
        y: Short.
           {long}

    Source: {long}.

    >>> {long}
    {long}
    """
    counts = [len(words(s)) for piece in paragraphs(text) for s in sentences(piece)]
    assert counts == [2, 3, 30, 30, 31]
