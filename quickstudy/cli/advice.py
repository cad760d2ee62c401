"""``quickstudy check``."""

from __future__ import annotations

import json
from pathlib import Path

from quickstudy.classify.check import Report
from quickstudy.classify.check import check as check_examples


def check(source: Path, model: Path | None, unlabelled: Path | None, n: int, as_json: bool) -> None:
    """Print what is wrong with labelled examples, and which to label next."""
    report = check_examples(source, model, unlabelled, n)
    if as_json:
        print(json.dumps(report.summary()))
    else:
        _print(report)


def _print(report: Report) -> None:
    noun, counts = report.noun, report.examples
    print(f"{sum(counts.values())} {noun}s of {len(counts)} classes")
    for line in report.unreadable:
        print(f"unreadable: {line}")
    for first, second, exact in report.duplicates:
        kind = f"the same {noun}" if exact else f"nearly the same {noun}"
        print(f"{kind}, so remove one: {first} and {second}")
    for name, label, better, probability in report.suspects:
        print(f"wrong label? {name} is called {label}, and looks like {better} ({100 * probability:.0f} %)")
    for pair in report.confusable:
        print(f"easily confused: {pair.first} and {pair.second}; give each more examples that show the difference")
    for label in report.unbalanced:
        print(f"few examples: {label} has {counts[label]}, others up to {max(counts.values())}; add some")
    if report.sound:
        print("nothing is wrong")
    for name in report.label_next or []:
        print(f"label next: {name}")
