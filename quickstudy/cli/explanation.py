"""``quickstudy explain``."""

from __future__ import annotations

import json
from pathlib import Path

from quickstudy.classifier import Classifier
from quickstudy.errors import DataError
from quickstudy.explain import PixelMethod, pixels
from quickstudy.explain import explain as explain_answer
from quickstudy.files import replace
from quickstudy.page import page
from quickstudy.tasks.images import read_image


def explain(folder: Path, image: Path, out: Path | None, heat: PixelMethod | None, as_json: bool) -> None:
    """Why a classifier answers as it does to an image: in a sentence, as data, and as a page."""
    classifier = Classifier.load(folder)
    if classifier.images is None:
        raise DataError(f"{str(folder)!r} does not classify images of files; use it from Python")
    x = read_image(image, classifier.images)
    why = explain_answer(classifier, x)
    shown = None if heat is None else pixels(classifier, x, heat)
    if out is not None:
        replace(out, page(why, classifier, x, image.name, shown).encode())
    if as_json:
        print(json.dumps(why.summary() | ({} if shown is None else {"pixels": shown.tolist()})))
        return
    print(f"{image}\t{why.label}\t{100 * why.probabilities.max():.1f} %")
    for i in why.supporting[:3]:
        print(f"  example {i + 1} of {why.label_of[i]} lends {100 * why.influence[i]:.1f} %")
    for i in why.misleading[:3]:
        print(f"  example {i + 1} of {why.label_of[i]} speaks against it: {100 * why.influence[i]:.1f} %")
    if out is not None:
        print(f"  the page is {out}")
