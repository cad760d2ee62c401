"""``quickstudy explain``."""

from __future__ import annotations

import json
from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.explanation import Explanation, PixelMethod, one_item, pixels
from quickstudy.classify.explanation import explain as explain_answer
from quickstudy.classify.page import page
from quickstudy.io.files import replace

_SHOWN = 0.0005
"""Influence that is not printed as 0.0 %."""


def explain(folder: Path, thing: str, out: Path | None, method: PixelMethod | None, as_json: bool) -> None:
    """Print why this is the answer to an image, a sentence or the first row of a file, and write a page."""
    classifier = Classifier.load(folder)
    item = one_item(classifier, thing)
    why = explain_answer(classifier, item)
    heat = None if method is None else pixels(classifier, item, method)
    if out is not None:
        replace(out, page(why, classifier, item, heat).encode())
    if as_json:
        facts = why.summary() if heat is None else {**why.summary(), "pixels": heat.tolist()}
        print(json.dumps({**facts, classifier.inputs.part_plural: why.parts} if why.parts else facts))
        return
    print(f"{item.name}\t{why.label}\t{100 * why.probabilities.max():.1f} %")
    _print(why, classifier)
    if out is not None:
        print(f"  the page is {out}")


def _print(why: Explanation, classifier: Classifier) -> None:
    names = [classifier.inputs.caption(item) for item in classifier.items]
    for i in why.supporting[:3]:
        if why.influence[i] >= _SHOWN:
            print(f"  example {names[i]!r} of {why.label_of[i]} supports it: {100 * why.influence[i]:.1f} %")
    for i in why.misleading[:3]:
        if -why.influence[i] >= _SHOWN:
            print(f"  example {names[i]!r} of {why.label_of[i]} speaks against it: {100 * why.influence[i]:.1f} %")
    for part, share in sorted(why.parts, key=lambda pair: -abs(pair[1]))[:5]:
        print(f"  the {classifier.inputs.part} {part!r} supports it: {100 * share:.1f} %")
