"""Options that several commands share, and flags that are made from the schema of the settings."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from typer.core import TyperCommand, TyperGroup

from quickstudy.runs.settings import FIELDS, choices, kinds

_PANELS = {"algorithm": "Run", "data": "Tasks", "net": "Net", "inner_lr": "Inner loop", "steps": "Outer loop"}
"""Headings of ``--help`` by the first setting under each."""

_NAMES = "(names)"
"""Placeholder for the names of a registry until help is shown: listing them searches the installed packages."""


Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
DataRoot = Annotated[Path | None, typer.Option(help="Folder of the data.", envvar="QUICKSTUDY_DATA_ROOT")]
ClassifierFolder = Annotated[Path, typer.Argument(help="Folder that `quickstudy adapt` wrote.", show_default=False)]
ModelName = Annotated[Path, typer.Argument(help="A run, a classifier, or a name.", show_default=False)]
RunFolder = Annotated[Path, typer.Argument(help="Run folder that `quickstudy train` wrote.", show_default=False)]
TextColumn = Annotated[str, typer.Option(help="Column of sentences in a file.")]
LabelColumn = Annotated[str, typer.Option(help="Column of labels in a file.")]
Encoding = Annotated[
    str | None,
    typer.Option(
        help="Encoding of a CSV file or standard input, such as cp1252; if not given, UTF-8 or its byte order mark."
    ),
]
As = Annotated[
    Literal["photos", "drawings"] | None,
    typer.Option("--as", help="What the pictures are; if not given, they decide.", show_default=False),
]
EncoderName = Annotated[
    str | None,
    typer.Option("--encoder", help="Frozen encoder; `quickstudy encoders` explains the choice.", show_default=False),
]
Out = Annotated[Path | None, typer.Option(help="Write the result and how it was made as JSON to this file.")]


class Commands(TyperGroup):
    """Group of the commands; its help shows the first sentence of each command in full."""

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write one entry per command, wrapped instead of cut off."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, each.get_short_help_str(limit=1000)) for name, each in self.commands.items()])


class Command(TyperCommand):
    """Command whose help lists its options under headings, without rich."""

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write arguments, then options under their headings."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if record := parameter.get_help_record(ctx):
                if _NAMES in record[1]:
                    record = record[0], record[1].replace(_NAMES, ", ".join(choices(parameter.name)))
                panel = getattr(parameter, "rich_help_panel", None) or f"{parameter.param_type_name.title()}s"
                panels.setdefault(panel, []).append(record)
        for panel, records in panels.items():
            with formatter.section(panel):
                formatter.write_dl(records)


def manners(command: Callable[..., None]) -> Callable[..., None]:
    """Add the flags that all commands have, ``--quiet`` and ``--debug``; ``main`` reads the latter."""
    own = inspect.signature(command, eval_str=True).parameters

    def run(quiet: bool, debug: bool, **arguments: Any) -> None:
        from quickstudy.io.console import messages

        messages.quiet = quiet
        command(**arguments)

    quiet = Annotated[bool, typer.Option("--quiet", help="Print results and errors only.")]
    debug = Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")]
    only = inspect.Parameter.KEYWORD_ONLY
    common = [
        inspect.Parameter("quiet", only, default=False, annotation=quiet),
        inspect.Parameter("debug", only, default=False, annotation=debug),
    ]
    parameters = [*(p.replace(kind=only) for p in own.values()), *common]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def settings_flags(command: Callable[..., None]) -> Callable[..., None]:
    """Add one flag per setting to a command, which receives the given ones as a dictionary ``flags``."""
    own = {name: p for name, p in inspect.signature(command, eval_str=True).parameters.items() if name != "flags"}

    def run(**arguments: Any) -> None:
        flags = {name: arguments.pop(name) for name in FIELDS}
        command(**arguments, flags={name: value for name, value in flags.items() if value is not None})

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_flag(name)) for name in FIELDS
    ]
    run.__signature__ = inspect.Signature([*own.values(), *parameters])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _flag(name: str) -> Any:
    """Return the annotation of a flag. Most values stay strings, because the schema validates values of any origin."""
    words: str = FIELDS[name].metadata["description"]
    if FIELDS[name].metadata["names"] is not None:
        words += f" One of {_NAMES}."
    elif choices(name):
        words += f" One of {', '.join(choices(name))}."
    if FIELDS[name].default is not None:
        words += f" Default: {FIELDS[name].default}."
    flag = "--" + name.replace("_", "-")
    if kinds(name) == (bool,):
        both = f"{flag}/--no-{flag[2:]}"
        return Annotated[
            bool | None, typer.Option(both, help=words, show_default=False, rich_help_panel=_panel(name), metavar="")
        ]
    kind = next((k.__name__.upper() for k in kinds(name) if k in (int, float, Path)), "WORD")
    kind = "JSON" if name == "arguments" else kind
    return Annotated[
        str | None, typer.Option(flag, help=words, metavar=kind, show_default=False, rich_help_panel=_panel(name))
    ]


def _panel(name: str) -> str:
    """Return the heading of a flag in ``--help``."""
    names = list(FIELDS)
    return next(panel for first, panel in reversed(_PANELS.items()) if names.index(first) <= names.index(name))
