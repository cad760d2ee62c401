"""``quickstudy adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quickstudy.cli.options import As, EncoderName, Encoding, Json, LabelColumn, TextColumn


def adapt(
    model: Annotated[
        Path,
        typer.Argument(
            help="A run, a classifier that learns more, or a name such as glyphs-proto. If left out, the kind of "
            "examples decides."
        ),
    ],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="Examples: images, one folder per class; or a CSV, TSV, JSONL, Parquet or Excel file with the columns "
            "text and label, or label and any others.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the classifier.", show_default=False)],
    text_column: TextColumn = "text",
    label_column: LabelColumn = "label",
    encoding: Encoding = None,
    look: As = None,
    encoder: EncoderName = None,
    download: Annotated[bool, typer.Option("--download", help="Download the encoder if it is not here.")] = False,
    json: Json = False,
) -> None:
    """Learn the classes of a folder of images, or of a file of sentences or rows, from any number of examples."""
    from quickstudy.classify.learn import adapt
    from quickstudy.cli.output import print_json
    from quickstudy.inputs import INPUTS
    from quickstudy.inputs.rows import Columns

    columns = Columns(text_column, label_column, encoding)
    examples, start = (model, None) if source is None else (source, model)
    classifier = adapt(examples, start, out, columns, look=look, encoder=encoder, download=download)
    counts = dict(zip(classifier.labels, classifier.data.counts.tolist(), strict=True))
    if json:
        print_json({"classifier": str(out), "inputs": INPUTS.name_of(type(classifier.inputs)), "examples": counts})
    else:
        total = ", ".join(f"{label} {count}" for label, count in counts.items())
        other = {"photos": "drawings", "images": "photos"}.get(str(INPUTS.name_of(type(classifier.inputs))))
        hint = f"; give --as {other} if that is wrong" if other and start is None and look is None else ""
        print(f"{out}: learned {len(counts)} classes of {classifier.inputs.words} ({total}){hint}")
