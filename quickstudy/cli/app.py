"""All commands, and the report of errors: one line on stderr, and JSON on stdout with ``--json``."""

from __future__ import annotations

import io
import os
import sys
import traceback
import warnings
from collections.abc import Callable
from typing import Annotated, Any

import typer

from quickstudy.cli.adapt import adapt
from quickstudy.cli.algorithms import algorithms
from quickstudy.cli.calibrate import calibrate
from quickstudy.cli.check import check
from quickstudy.cli.doctor import doctor
from quickstudy.cli.encoders import encoders
from quickstudy.cli.evaluate import evaluate
from quickstudy.cli.examples import examples
from quickstudy.cli.explain import explain
from quickstudy.cli.export import export
from quickstudy.cli.info import info
from quickstudy.cli.options import Command, Commands, manners
from quickstudy.cli.predict import predict
from quickstudy.cli.push import push
from quickstudy.cli.reproduce import reproduce
from quickstudy.cli.rl import app as rl
from quickstudy.cli.runs import runs
from quickstudy.cli.serve import serve
from quickstudy.cli.tasks import tasks
from quickstudy.cli.train import train
from quickstudy.cli.tune import tune
from quickstudy.errors import QuickstudyError, one_line

app = typer.Typer(
    cls=Commands,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # importing rich takes longer than showing the help
    # If a flag has a default here, typer does not import pydantic to convert the missing value.
    context_settings={
        "max_content_width": 120,
        "default_map": dict.fromkeys(("help", "version", "install_completion", "show_completion"), False),
    },
)
_UsageError: Any = typer.BadParameter.__bases__[0]  # click's, wherever typer keeps it


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Register a command."""
    return app.command(cls=Command)(manners(function))


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"quickstudy {version('quickstudy')}")
        raise typer.Exit


@app.callback()
def quickstudy(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    """Meta-learning: learn how to learn from a few examples."""


COMMANDS = (
    train, tune, evaluate, runs, reproduce, adapt, predict, explain, check, export, push, serve, calibrate, tasks,
    algorithms, encoders, doctor, examples, info,
)  # fmt: skip
for each in COMMANDS:
    command(each)
app.add_typer(rl, name="rl")


def main() -> None:
    """Run the command line; entry point of ``quickstudy``."""
    warnings.showwarning = _warn
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a label may have letters that the console cannot show
            stream.reconfigure(errors="backslashreplace")
    try:
        code = app(sys.argv[1:] or ["--help"], prog_name="quickstudy", standalone_mode=False)
        sys.stdout.flush()
    except SystemExit as error:  # raised by a command to set the exit code
        code = error.code
    except QuickstudyError as error:
        code = _fail(str(error), error.exit_code)
    except _UsageError as error:
        command = error.ctx.command_path if error.ctx else "quickstudy"
        code = _fail(f"{error.format_message().rstrip('.')}; see `{command} --help`", 2)
    except BrokenPipeError:  # the reader has closed the pipe, which is not an error
        code = 1
        _drop_output()
    except OSError as error:  # a full disk, a folder that cannot be written
        code = _fail(f"{error.filename or 'output'}: {error.strerror or error}", 1)
        _drop_output()
    except Exception as error:
        reason = one_line(f"{type(error).__name__}: {error}", most=300)
        code = _fail(f"internal error of quickstudy, please report the output of --debug: {reason}", 1)
    if "RANK" in os.environ:
        # This is a worker. Python would end gloo's threads in a C++ call, which sometimes aborts the process.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code or 0)
    sys.exit(code)


def _drop_output() -> None:
    """Drop the output that cannot be written, since Python would flush it at exit and end with code 120."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


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
