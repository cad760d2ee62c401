"""The commands, and how errors leave: one line on stderr, or JSON where JSON was asked for."""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from quickstudy.cli.options import Command, Commands, manners, settings_flags
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

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the data.", envvar="QUICKSTUDY_DATA_ROOT")]
Run = Annotated[Path, typer.Argument(help="Run folder, made by `quickstudy train`.", show_default=False)]


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command."""
    return app.command(cls=Command)(manners(function))


@app.callback()
def quickstudy() -> None:
    """Meta-learning: learn how to learn from a few examples."""


@command
@settings_flags
def train(
    flags: dict[str, Any],
    out: Annotated[Path | None, typer.Option(help="Run folder; runs/ALGORITHM-DATA-... if not given.")] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file of settings.")] = None,
    print_settings: Annotated[bool, typer.Option("--print-settings", help="Print all settings and stop.")] = False,
    resume: Annotated[Path | None, typer.Option(help="Go on with the run in this folder.", show_default=False)] = None,
) -> None:
    """Meta-train a learner; keeps settings, metrics and the best weights in a run folder.

    Settings come from the file, then QUICKSTUDY_* variables, then flags; the later wins.
    """
    from quickstudy.cli.training import train

    train(flags, out, config, print_settings, resume)


@command
def evaluate(
    run: Run,
    n_tasks: Annotated[int, typer.Option(help="Number of tasks.")] = 600,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    data: Annotated[str | None, typer.Option(help="Another source than the run's: does it generalise?")] = None,
    data_root: DataRoot = None,
    n_way: Annotated[int | None, typer.Option(help="Classes a task; the run's if not given.")] = None,
    n_shot: Annotated[int | None, typer.Option(help="Support examples a class.")] = None,
    n_query: Annotated[int | None, typer.Option(help="Query examples a class.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the tasks.")] = None,
    test_steps: Annotated[int | None, typer.Option(min=0, help="Inner steps.")] = None,
    transductive: Annotated[
        bool | None, typer.Option("--transductive/--inductive", help="Normalise queries by their own statistics.")
    ] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Turn each class of each task at random.")] = False,
    views: Annotated[
        int | None, typer.Option(min=1, help="Average over so many slightly warped copies of each image.")
    ] = None,
    turned: Annotated[
        bool, typer.Option("--turned", help="Average over each image's four quarter turns; for --rotations classes.")
    ] = False,
    challenge: Annotated[
        str | None, typer.Option(help="lake: the 20 one-shot trials of all_runs.zip in --data-root; tells the error.")
    ] = None,
    one_to_one: Annotated[
        bool, typer.Option("--one-to-one", help="Answer knowing that each class occurs as often as others.")
    ] = False,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON, with how it was made.")] = None,
    json: Json = False,
) -> None:
    """Accuracy of a run on new tasks, with its 95% interval."""
    from quickstudy.cli.evaluation import evaluate, evaluate_challenge

    if challenge is not None:
        evaluate_challenge(run, challenge, data_root, test_steps, transductive, views, turned, one_to_one, out, json)
        return

    changes = {"data": data, "data_root": data_root, "n_way": n_way, "n_shot": n_shot, "n_query": n_query, "seed": seed}
    chosen = {name: value for name, value in changes.items() if value is not None}
    evaluate(run, chosen, n_tasks, split, test_steps, transductive, rotate, views, turned, one_to_one, out, json)


@command
def reproduce(
    name: Annotated[str | None, typer.Argument(help="Such as prototypical-omniglot-5way-1shot.")] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the names, with the papers' figures.")] = False,
    budget: Annotated[float | None, typer.Option(help="Minutes of training; what was shortened is told.")] = None,
    runs: Annotated[Path, typer.Option(help="Keeps the trainings, which names may share.")] = Path("runs/reproduce"),
    data_root: DataRoot = None,
    n_tasks: Annotated[int, typer.Option(help="Number of test tasks.")] = 600,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
    out: Annotated[Path | None, typer.Option(help="Write the result as JSON, with how it was made.")] = None,
    json: Json = False,
) -> None:
    """Train as a paper did and put our figure beside its own; goes on where it was stopped."""
    from quickstudy.cli.reproduction import reproduce

    given = {"data_root": data_root, "threads": threads}
    chosen = {name: value for name, value in given.items() if value is not None}
    reproduce(name, list_, budget, runs, chosen, n_tasks, out, json)


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


@command
def calibrate(
    run: Run,
    n_way: Annotated[int | None, typer.Option(min=2, help="Classes of a task; as the run's if not set.")] = None,
    n_shot: Annotated[
        int | None, typer.Option(min=1, help="Support examples a class; as the run's if not set.")
    ] = None,
    n_tasks: Annotated[int, typer.Option(min=2, help="Validation tasks; one half fits, the other measures.")] = 1000,
    data_root: DataRoot = None,
    json: Json = False,
) -> None:
    """Make a run's probabilities believable, and let it say "none of these": measured on validation classes."""
    from quickstudy.cli.calibration import calibrate

    given = {"n_way": n_way, "n_shot": n_shot, "data_root": data_root}
    calibrate(run, {name: value for name, value in given.items() if value is not None}, n_tasks, json)


@command
def tasks(
    source: Annotated[str | None, typer.Argument(help="Name of a source; all are listed without.")] = None,
    data_root: DataRoot = None,
    download: Annotated[bool, typer.Option("--download", help="Fetch what is missing (Omniglot).")] = False,
    draw: Annotated[Path | None, typer.Option(help="Draw some training tasks into this PNG file.")] = None,
    n_way: Annotated[int, typer.Option(min=1, help="Classes a drawn task.")] = 5,
    n_shot: Annotated[int, typer.Option(min=1, help="Support examples a class.")] = 1,
    n_query: Annotated[int, typer.Option(min=1, help="Query examples a class.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Of the tasks.")] = 0,
    json: Json = False,
) -> None:
    """List the sources of tasks, count one's classes, or draw its tasks."""
    from quickstudy.cli.listing import tasks

    tasks(source, data_root, download, draw, (n_way, n_shot, n_query), seed, json)


@command
def algorithms(json: Json = False) -> None:
    """The algorithms, their settings and their papers."""
    from quickstudy.cli.listing import algorithms

    algorithms(json)


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


@command
def doctor(
    folder: Annotated[Path, typer.Argument(help="A run or a classifier.", show_default=False)], json: Json = False
) -> None:
    """Verify a folder: hashes, settings, checkpoints, weights, and that it answers as when it was written."""
    from quickstudy.cli.doctor import doctor

    doctor(folder, json)


@command
def info(json: Json = False) -> None:
    """Versions, device, threads and folders: what a report of a fault should hold."""
    from quickstudy.cli.listing import info

    info(json)


def main() -> None:
    """Entry point of ``quickstudy``."""
    warnings.showwarning = _warn
    logging.getLogger("matplotlib").setLevel(logging.ERROR)  # which would tell of every cache that it cannot keep
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
        print(json.dumps({"error": message}))
    print(f"quickstudy: {message}", file=sys.stderr)
    return code


def _warn(message: Warning | str, *_: Any, **__: Any) -> None:
    from quickstudy.io.console import messages

    if not messages.quiet:
        print(f"quickstudy: warning: {message}", file=sys.stderr)
