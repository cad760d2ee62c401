"""``quickstudy predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quickstudy.cli.options import ClassifierFolder, Encoding, Json, TextColumn

if TYPE_CHECKING:
    from quickstudy.classify.classifier import Answer


def predict(
    classifier: ClassifierFolder,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="PNG, JPEG or WebP files, or folders of them; or sentences; or CSV, TSV, JSONL, Parquet or "
            "Excel files.",
            show_default=False,
        ),
    ],
    text: Annotated[bool, typer.Option("--text", help="Every input is a sentence, also if it names a file.")] = False,
    text_column: TextColumn = "text",
    encoding: Encoding = None,
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    coverage: Annotated[
        float | None, typer.Option(help="Also print a set of labels that includes the right one with this probability.")
    ] = None,
    false_alarms: Annotated[
        float | None,
        typer.Option(help='Answer "none of these" if no label fits; this share of inputs of known labels gets it too.'),
    ] = None,
) -> None:
    """Label images, sentences or rows of tables, with the probability of each label."""
    from quickstudy.classify.classifier import Classifier
    from quickstudy.cli.output import print_json
    from quickstudy.inputs.rows import Columns, opened
    from quickstudy.inputs.sentences import sentences_of

    model = Classifier.load(classifier)
    columns = Columns(text_column, encoding=encoding)
    things = sentences_of(model.inputs, inputs) if text else opened(model.inputs, inputs, columns)
    answers = list(model.answer(things, coverage=coverage, false_alarms=false_alarms))  # all, before any is printed
    if json:
        print_json([answer.summary(model.inputs.noun) for answer in answers])
    elif csv:
        _print_csv(answers, model.inputs.noun)
    else:
        for answer in answers:
            members = "" if answer.members is None else f"\t{{{', '.join(answer.members)}}}"
            label, sure = "none of these" if answer.none else answer.label, answer.probabilities[answer.label]
            print(f"{answer.name}\t{label}\t{100 * sure:.1f} %{members}")


def _print_csv(answers: list[Answer], noun: str) -> None:
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    sets = ["set"] if answers[0].members is not None else []
    writer.writerow([noun, "label", *answers[0].probabilities, *sets])
    for answer in answers:
        members = [] if answer.members is None else ["|".join(answer.members)]
        cells = (f"{p:.6f}" for p in answer.probabilities.values())
        writer.writerow([answer.name, None if answer.none else answer.label, *cells, *members])
