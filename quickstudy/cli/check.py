"""``quickstudy check``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quickstudy.cli.options import As, EncoderName, Encoding, Json, LabelColumn, TextColumn

if TYPE_CHECKING:
    from quickstudy.classify.check import Report


def check(
    source: Annotated[
        Path,
        typer.Argument(
            help="Images, one folder per class; or a file of sentences or rows with labels.", show_default=False
        ),
    ],
    model: Annotated[
        Path | None, typer.Option(help="Model that compares the examples; if not given, their kind decides.")
    ] = None,
    unlabelled: Annotated[
        Path | None,
        typer.Option(help="Folder of images, or file of sentences or rows, in which to choose what to label next."),
    ] = None,
    n: Annotated[int, typer.Option(min=1, help="Number of unlabelled examples to name.")] = 5,
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: Encoding = None,
    look: As = None,
    encoder: EncoderName = None,
    json: Json = False,
) -> None:
    """Report what is wrong with labelled examples: copies, wrong labels, rare classes, classes that look alike."""
    from quickstudy.classify.answer import SCHEMA
    from quickstudy.classify.check import check
    from quickstudy.cli.output import print_json
    from quickstudy.inputs.rows import Columns

    report = check(
        source, model, unlabelled, n, Columns(text_column, label_column, encoding), look=look, encoder=encoder
    )
    if json:
        print_json({"schema": SCHEMA, **report.summary()})
    else:
        _print_report(report)


def _print_report(report: Report) -> None:
    from quickstudy.errors import listed

    noun, counts = report.noun, report.examples
    copies: dict[tuple[str, bool], list[str]] = {}
    for first, second, exact in report.duplicates:
        copies.setdefault((first, exact), []).append(second)
    print(f"{sum(counts.values())} {noun}s of {len(counts)} classes")
    for line in report.unreadable:
        print(f"unreadable: {line}")
    for (first, exact), seconds in copies.items():
        kind = f"the same {noun}" if exact else f"nearly the same {noun}"
        if len(seconds) == 1:
            print(f"{kind}, so remove one: {first} and {seconds[0]}")
        else:
            print(f"{kind} {1 + len(seconds)} times, so leave one: {listed([first, *seconds])}")
    for name, label, better, probability in report.suspects:
        print(f"wrong label? {name} has the label {label}, but looks like {better} ({100 * probability:.0f} %)")
    for pair in report.confusable:
        print(f"easily confused: {pair.first} and {pair.second}; give each more examples that show the difference")
    for label in report.unbalanced:
        print(f"few examples: {label} has {counts[label]}, others up to {max(counts.values())}; add some")
    for labels in report.spellings:
        print(f"one label? {' and '.join(map(repr, labels))} are different classes; spell them alike")
    if report.doubt:
        print(report.doubt)
    for name in report.blank:
        print(f"blank or of one colour, so replace or remove it: {name}")
    if report.left_out:
        print(report.left_out)
    if report.sound:
        print("nothing is wrong")
    for name in report.label_next or []:
        print(f"label next: {name}")
