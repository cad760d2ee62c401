"""``quickstudy explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quickstudy.cli.options import ClassifierFolder, Encoding, Json, TextColumn

if TYPE_CHECKING:
    from quickstudy.classify.classifier import Classifier
    from quickstudy.classify.explanation import Explanation

_LEAST = 0.0005
"""Smallest influence that is not printed as 0.0 %."""


def explain(
    classifier: ClassifierFolder,
    input: Annotated[
        str, typer.Argument(help="An image file, a sentence, or a file, whose first row is read.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write the explanation as an HTML page.")] = None,
    pixels: Annotated[
        str | None,
        typer.Option(help="Also measure the influence of pixels, by occlusion or integrated-gradients (captum)."),
    ] = None,
    text_column: TextColumn = "text",
    encoding: Encoding = None,
    json: Json = False,
) -> None:
    """Explain an answer: the examples and parts that it depends on, and the answer without them."""
    from quickstudy.classify.answer import SCHEMA
    from quickstudy.classify.classifier import Classifier
    from quickstudy.classify.explanation import explain, one_item
    from quickstudy.classify.explanation import pixels as pixels_of
    from quickstudy.classify.page import page
    from quickstudy.cli.output import print_json
    from quickstudy.inputs.rows import Columns, opened
    from quickstudy.io.files import replace

    model = Classifier.load(classifier)
    item = one_item(model, opened(model.inputs, [input], Columns(text_column, encoding=encoding))[0])
    why = explain(model, item)
    heat = None if pixels is None else pixels_of(model, item, pixels)
    if out is not None:
        replace(out, page(why, model, item, heat).encode())
    if json:
        facts = why.summary() if heat is None else {**why.summary(), "pixels": heat.tolist()}
        print_json({"schema": SCHEMA, "input": item.name, **facts, "parts": why.parts})
        return
    print(f"{item.name}\t{why.label}\t{100 * why.probabilities.max():.1f} %")
    _print_reasons(why, model)
    if out is not None:
        print(f"  the page is {out}")


def _print_reasons(why: Explanation, model: Classifier) -> None:
    names = [model.inputs.caption(item) for item in model.items]
    rows = [*why.supporting[:3], *why.misleading[:3]]
    reasons = [(f"example {names[i]!r} of {why.label_of[i]}", float(why.influence[i])) for i in rows]
    parts = sorted(why.parts, key=lambda pair: -abs(pair[1]))[:5]
    reasons += [(f"the {model.inputs.part} {part!r}", share) for part, share in parts]
    strong = [(reason, share) for reason, share in reasons if abs(share) >= _LEAST]
    for reason, share in strong:
        print(f"  without {reason}, it is {100 * abs(share):.1f} % {'less' if share > 0 else 'more'} sure")
    if not strong:
        print(f"  no example and no {model.inputs.part} changes it by 0.1 % when it is left out")
    nearest = why.nearest[0]
    print(f"  the most similar example is {names[nearest]!r} of {why.label_of[nearest]}")
