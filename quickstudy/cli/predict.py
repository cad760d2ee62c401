"""``quickstudy predict``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from quickstudy.cli.options import ClassifierFolder, Encoding, Json, TextColumn

if TYPE_CHECKING:
    from collections.abc import Iterable

    from quickstudy.classify.answer import Answer


def predict(
    classifier: ClassifierFolder,
    inputs: Annotated[
        list[str],
        typer.Argument(
            help="Image files or folders of them; or sentences; or CSV, TSV, JSONL, Parquet or Excel files. - reads "
            "them from standard input, one per line.",
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
    rest_on: Annotated[
        str,
        typer.Option(
            help="What coverage and false alarms rest on: the classifier's own examples, or the tasks of the "
            "calibration, which may be unlike yours.",
            metavar="[examples|calibration]",
        ),
    ] = "examples",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave out inputs that cannot be read, list them, and exit with code 1.")
    ] = False,
) -> None:
    """Label images, sentences or rows of tables, with the probability of each label."""
    import sys

    from quickstudy.classify.answer import SCHEMA
    from quickstudy.classify.classifier import Classifier
    from quickstudy.cli.output import print_json
    from quickstudy.inputs.rows import Columns, opened
    from quickstudy.inputs.sentences import sentences_of

    model = Classifier.load(classifier)
    given = [line.rstrip("\n") for line in sys.stdin] if inputs == ["-"] else inputs
    columns = Columns(text_column, encoding=encoding)
    errors: list[Exception] = []
    answers = model.answer(
        sentences_of(model.inputs, given) if text else opened(model.inputs, given, columns),
        coverage=coverage,
        false_alarms=false_alarms,
        rest_on=rest_on,  # type: ignore[arg-type]  # checked there
        skip=errors.append if skip_bad else None,
    )
    if json:
        summaries = [answer.summary() for answer in answers]
        print_json({"schema": SCHEMA, "answers": summaries, "skipped": [str(error) for error in errors]})
    elif csv:
        _print_csv(answers, model.labels)
    else:
        for answer in answers:
            print("\t".join(_cells(answer)))
    for error in errors:
        print(f"quickstudy: skipped: {error}", file=sys.stderr)
    if errors:
        raise typer.Exit(1)


def _cells(answer: Answer) -> list[str]:
    """Return the columns of an answer for people."""
    cells = [answer.name, answer.word, f"{100 * answer.probabilities[answer.label]:.1f} %"]
    if answer.members is not None:
        cells.append(f"{{{', '.join(answer.members)}}}" + " unlike all examples" * bool(answer.unlike))
    return [*cells, "rests on the calibration"] if answer.rest_on == "calibration" else cells


def _print_csv(answers: Iterable[Answer], labels: tuple[str, ...]) -> None:
    """Print the columns of docs/output.md, as soon as there are answers."""
    import csv
    import sys

    writer = csv.writer(sys.stdout, lineterminator="\n")
    for number, answer in enumerate(answers):
        facts = answer.summary()
        probabilities = facts.pop("probabilities")
        if number == 0:
            writer.writerow([*facts, *(f"p({label})" for label in labels)])
        writer.writerow([*map(_cell, facts.values()), *(f"{p:.6f}" for p in probabilities.values())])


def _cell(value: object) -> object:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.6f}"
    return "|".join(value) if isinstance(value, list) else value
