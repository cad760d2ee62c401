"""``quickstudy predict``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quickstudy.cli.options import ClassifierFolder, Encoding, Json, TextColumn

if TYPE_CHECKING:
    from collections.abc import Sequence

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
    out: Annotated[
        Path | None,
        typer.Option(
            help="Write the answers to this new file, .csv, .jsonl or .parquet, in constant memory; the same command "
            "continues after an interruption."
        ),
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes that answer; for --out.")] = 1,
    ray: Annotated[
        str | None, typer.Option(help="Address of a Ray cluster that answers, such as auto; for --out.")
    ] = None,
) -> None:
    """Label images, sentences or rows of tables, with the probability of each label."""
    from quickstudy.classify.answer import SCHEMA
    from quickstudy.classify.answer_files import csv_lines
    from quickstudy.classify.bulk import predict_to_file
    from quickstudy.classify.classifier import Classifier
    from quickstudy.cli.output import print_json
    from quickstudy.errors import SettingError
    from quickstudy.inputs.rows import Columns
    from quickstudy.inputs.stream import lines_of, parts_of

    given = lines_of(sys.stdin, encoding) if inputs == ["-"] else inputs
    columns = Columns(text_column, encoding=encoding)
    if out is not None:
        written = predict_to_file(
            classifier,
            given,
            out,
            coverage=coverage,
            false_alarms=false_alarms,
            rest_on=rest_on,  # type: ignore[arg-type]  # checked there
            skip_bad=skip_bad,
            text=text,
            columns=columns,
            workers=workers,
            ray=ray,
            patterns=inputs != ["-"],
        )
        if json:
            print_json({"schema": SCHEMA, "out": str(out), **written._asdict()})
        else:
            print(f"{written.n_answers:,} answers in {out}")
        _list_skipped(written.skipped)
        return
    if workers > 1 or ray:
        raise SettingError("--workers and --ray need --out FILE; add it")
    model = Classifier.load(classifier)
    errors: list[Exception] = []
    skip = errors.append if skip_bad else None
    answers = (  # printed as they come
        answer
        for part in parts_of(model.inputs, given, columns, text, skip, size=sys.maxsize)
        for answer in model.answer(
            part.things,
            coverage=coverage,
            false_alarms=false_alarms,
            rest_on=rest_on,  # type: ignore[arg-type]  # checked there
            skip=skip,
            names=part.names,
        )
    )
    if json:
        summaries = [answer.summary() for answer in answers]
        print_json({"schema": SCHEMA, "answers": summaries, "skipped": [str(error) for error in errors]})
    elif csv:
        lines = csv_lines((answer.summary() for answer in answers), model.labels)
        for line in lines:
            print(line, end="")
    else:
        for answer in answers:
            print("\t".join(_cells(answer)))
    _list_skipped(errors)


def _list_skipped(errors: Sequence[object]) -> None:
    """Name the inputs that were left out on stderr, and exit with code 1 if there are any."""
    for error in errors:
        print(f"quickstudy: skipped: {error}", file=sys.stderr)
    if errors:
        raise typer.Exit(1)


def _cells(answer: Answer) -> list[str]:
    """Return the columns of an answer for people."""
    share = f"{100 * answer.probabilities[answer.label]:.1f} %"
    cells = [answer.name, answer.word, f"rather {answer.label} than others: {share}" if answer.none else share]
    if answer.members is not None:
        cells.append(f"{{{', '.join(answer.members)}}}" + " unlike all examples" * bool(answer.unlike))
    return [*cells, "rests on the calibration"] if answer.rest_on == "calibration" else cells
