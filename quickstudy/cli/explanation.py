"""``quickstudy explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.explanation import PixelMethod, columns, pixels, words
from quickstudy.classify.explanation import explain as explain_answer
from quickstudy.classify.page import page
from quickstudy.cli.classification import read
from quickstudy.io.files import replace


def explain(folder: Path, asked: str, out: Path | None, method: PixelMethod | None, as_json: bool) -> None:
    """Why this answer to an image, a sentence or the first row of a file: in words, as data, and as a page."""
    classifier = Classifier.load(folder)
    (name, *_), (x, *_) = read(classifier, folder, [asked])
    why = explain_answer(classifier, x)
    heat = None if method is None else pixels(classifier, x, method)
    best = int(why.probabilities.argmax())
    told: dict[str, Any] = why.summary()
    if heat is not None:
        told["pixels"] = heat.tolist()
    if classifier.encoder is not None:

        def probability(several: list[str]) -> Any:
            return classifier.predict_proba(read(classifier, folder, several)[1])[:, best]

        told["words"] = words(probability, asked)
    if classifier.table is not None:
        told["columns"] = columns(classifier, x)
    if out is not None:
        called = Path(name).name if classifier.images else name
        spoken = told.get("words", told.get("columns"))
        replace(out, page(why, classifier, x.numpy(), called, heat, spoken).encode())
    if as_json:
        print(json.dumps(told))
        return

    def matters(i: int) -> bool:
        return bool(abs(why.influence[i]) >= 0.0005)  # what is not printed as 0.0 %

    print(f"{name}\t{why.label}\t{100 * why.probabilities.max():.1f} %")
    for i in filter(matters, why.supporting[:3]):
        print(f"  example {i + 1} of {why.label_of[i]} lends {100 * why.influence[i]:.1f} %")
    for i in filter(matters, why.misleading[:3]):
        print(f"  example {i + 1} of {why.label_of[i]} speaks against it: {100 * why.influence[i]:.1f} %")
    for kind in ("word", "column"):
        for each, lent in sorted(told.get(f"{kind}s", []), key=lambda one: -abs(one[1]))[:5]:
            print(f"  the {kind} {each!r} lends {100 * lent:.1f} %")
    if out is not None:
        print(f"  the page is {out}")
