"""``quickstudy explain``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from quickstudy.classifier import Classifier
from quickstudy.cli.classification import read
from quickstudy.explanation import PixelMethod, pixels, words
from quickstudy.explanation import explain as explain_answer
from quickstudy.files import replace
from quickstudy.page import page


def explain(folder: Path, asked: str, out: Path | None, method: PixelMethod | None, as_json: bool) -> None:
    """Why a classifier answers as it does to an image or a sentence: in words, as data, and as a page."""
    classifier = Classifier.load(folder)
    x = read(classifier, folder, [asked])[0]
    why = explain_answer(classifier, x)
    heat = None if method is None else pixels(classifier, x, method)
    best = int(why.probabilities.argmax())
    told: dict[str, Any] = why.summary()
    if heat is not None:
        told["pixels"] = heat.tolist()
    if classifier.encoder is not None:

        def probability(several: list[str]) -> Any:
            return classifier.predict_proba(read(classifier, folder, several))[:, best]

        told["words"] = words(probability, asked)
    if out is not None:
        replace(
            out,
            page(
                why, classifier, x, asked if classifier.encoder else Path(asked).name, heat, told.get("words")
            ).encode(),
        )
    if as_json:
        print(json.dumps(told))
        return
    print(f"{asked}\t{why.label}\t{100 * why.probabilities.max():.1f} %")
    for i in why.supporting[:3]:
        print(f"  example {i + 1} of {why.label_of[i]} lends {100 * why.influence[i]:.1f} %")
    for i in why.misleading[:3]:
        print(f"  example {i + 1} of {why.label_of[i]} speaks against it: {100 * why.influence[i]:.1f} %")
    for word, lent in sorted(told.get("words", []), key=lambda each: -abs(each[1]))[:5]:
        print(f"  the word {word!r} lends {100 * lent:.1f} %")
    if out is not None:
        print(f"  the page is {out}")
