"""The commands, and how errors leave: one line on stderr, or JSON where JSON was asked for."""

from __future__ import annotations

import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.algorithms import algorithms
from quickstudy.cli.calibrate import calibrate
from quickstudy.cli.doctor import doctor
from quickstudy.cli.evaluate import evaluate
from quickstudy.cli.info import info
from quickstudy.cli.options import Command, Commands, Json, manners
from quickstudy.cli.reproduce import reproduce
from quickstudy.cli.tasks import tasks
from quickstudy.cli.train import train
from quickstudy.errors import QuickstudyError, one_line

app = typer.Typer(
    cls=Commands,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich takes longer than showing the help
    # With a default for its own --help, typer does not import pydantic to convert the missing value.
    context_settings={"max_content_width": 120, "default_map": {"help": False}},
)
_UsageError: Any = typer.BadParameter.__bases__[0]  # click's, wherever typer keeps it


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command."""
    return app.command(cls=Command)(manners(function))


@app.callback()
def quickstudy() -> None:
    """Meta-learning: learn how to learn from a few examples."""


for each in (train, evaluate, reproduce):
    command(each)


@command
def adapt(
    run: Annotated[
        Path, typer.Argument(help="A run, a classifier that is to learn more, or a name such as glyphs-proto.")
    ],
    source: Annotated[
        Path | None,
        typer.Argument(
            help="What to learn from: images, one folder a class; or a CSV, JSONL or Parquet file with the columns "
            "text and label, or label and those of the run's table. Drawings may be the only argument: glyphs-proto "
            "learns them.",
            show_default=False,
        ),
    ] = None,
    *,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the classifier.", show_default=False)],
    json: Json = False,
) -> None:
    """Learn the classes of a folder of images, or a file of sentences or rows; any number of examples each."""
    from quickstudy.cli.classification import adapt

    learned, model = (run, None) if source is None else (source, run)
    adapt(learned, model, out, json)


@command
def predict(
    classifier: Annotated[Path, typer.Argument(help="Made by `quickstudy adapt`.", show_default=False)],
    inputs: Annotated[
        list[str], typer.Argument(help="PNG, JPEG or WebP files; or sentences; or files of rows.", show_default=False)
    ],
    json: Json = False,
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    coverage: Annotated[
        float | None, typer.Option(help="Also the labels among which the right one is, with this chance.")
    ] = None,
    false_alarms: Annotated[
        float | None, typer.Option(help='Answer "none of these" where none fits, wrongly in this share of cases.')
    ] = None,
) -> None:
    """Label images, sentences or rows of tables, with the probability of each label."""
    from quickstudy.cli.classification import predict

    predict(classifier, inputs, json, csv, coverage, false_alarms)


@command
def explain(
    classifier: Annotated[Path, typer.Argument(help="Made by `quickstudy adapt`.", show_default=False)],
    input: Annotated[
        str, typer.Argument(help="A PNG, JPEG or WebP file, a sentence, or a file of a row.", show_default=False)
    ],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Write a page that shows it (HTML).")] = None,
    pixels: Annotated[
        str | None, typer.Option(help="Also which pixels mattered, by occlusion or integrated-gradients (captum).")
    ] = None,
    json: Json = False,
) -> None:
    """Why this answer: which examples it rests on, and what it would have been without them."""
    from quickstudy.cli.explanation import explain

    explain(classifier, input, out, pixels, json)  # type: ignore[arg-type]  # checked there


@command
def check(
    folder: Annotated[Path, typer.Argument(help="Images: one folder a class.", show_default=False)],
    model: Annotated[Path | None, typer.Option(help="Model that compares the examples.", show_default=False)] = None,
    unlabelled: Annotated[Path | None, typer.Option(help="Folder of images: which to label next?")] = None,
    n: Annotated[int, typer.Option(min=1, help="How many of them to name.")] = 5,
    json: Json = False,
) -> None:
    """What is wrong with a folder of images: copies, wrong labels, classes that are few or alike."""
    from quickstudy.cli.advice import check

    check(folder, model, unlabelled, n, json)


@command
def export(
    model: Annotated[Path, typer.Argument(help="A run, a classifier, or a name.", show_default=False)],
    out: Annotated[Path, typer.Option("--out", "-o", help="The ONNX file.", show_default=False)],
    json: Json = False,
) -> None:
    """Write a run's encoder, or a classifier, as ONNX for other programs; checked with onnxruntime."""
    from quickstudy.cli.export import export

    export(model, out, json)


@command
def push(
    model: Annotated[Path, typer.Argument(help="A run, a classifier, or a name.", show_default=False)],
    repository: Annotated[str, typer.Argument(help="On the Hugging Face Hub: user/model.", show_default=False)],
    private: Annotated[bool, typer.Option("--private", help="Let nobody else see it.")] = False,
    json: Json = False,
) -> None:
    """Put a model on the Hugging Face Hub, with a card filled in from its run."""
    from quickstudy.cli.sharing import push

    push(model, repository, private, json)


for each in (calibrate, tasks, algorithms):
    command(each)


@command
def bench(
    toy: Annotated[bool, typer.Option("--toy", help="A few small rows, to see that it runs.")] = False,
    repetitions: Annotated[int, typer.Option(min=1, help="Timed runs of each contender, in turn.")] = 5,
    workers: Annotated[int, typer.Option(min=1, help="Processes of our second entry.")] = 2,
    device: Annotated[str, typer.Option(help="cpu or cuda.")] = "cpu",
    out: Annotated[Path | None, typer.Option(help="Write the figures as JSON.")] = None,
    plot: Annotated[Path | None, typer.Option(help="Draw them into this PNG file.")] = None,
    json: Json = False,
) -> None:
    """Time an outer step beside a plain loop and other libraries, on this machine."""
    from quickstudy.cli.bench import bench

    bench(toy, repetitions, workers, device, out, plot, json)


for each in (doctor, info):
    command(each)


def main() -> None:
    """Entry point of ``quickstudy``."""
    warnings.showwarning = _warn
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="quickstudy", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as error:  # of other processes, or for them
        code = error.code
    except QuickstudyError as error:
        code = _fail(str(error), error.exit_code)
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "quickstudy"
        code = _fail(f"{error.format_message().rstrip('.')}; see `{command} --help`", 2)
    except BrokenPipeError:  # the reader has gone, which is no fault; flushing at exit must not say so again
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except OSError as error:  # a full disk, a folder that cannot be written
        code = _fail(f"{error.filename or 'output'}: {error.strerror or error}", 1)
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}", most=300)
        code = _fail(f"a fault of quickstudy's own, please report what --debug shows: {reason}", 1)
    if "RANK" in os.environ:
        # A worker. Python would end gloo's threads in the middle of a C++ call, which now and then aborts the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)


def _fail(message: str, code: int) -> int:
    if "--debug" in sys.argv:
        traceback.print_exc()
    if "--json" in sys.argv:
        from quickstudy.cli.output import print_json

        print_json({"error": message})
    print(f"quickstudy: {message}", file=sys.stderr)
    return code


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    from quickstudy.io.console import messages

    if not messages.quiet:
        print(f"quickstudy: warning: {message}", file=sys.stderr)
