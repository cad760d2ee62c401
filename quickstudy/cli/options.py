"""Flags made from the settings' schema, so that a setting is written once."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, get_args

import typer

from quickstudy.settings import Settings, choices

_PANELS = {"algorithm": "Run", "data": "Tasks", "net": "Net", "inner_lr": "Inner loop", "steps": "Outer loop"}
"""Headings of ``--help`` by the first setting under each."""


def manners(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the flags that all have: ``--quiet`` and ``--debug``; the latter is read where errors leave."""
    own = inspect.signature(command, eval_str=True).parameters

    def run(quiet: bool, debug: bool, **arguments: Any) -> None:
        from quickstudy.console import messages

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
    """Give a command one flag for every setting; it gets those that were used as ``flags``, a dictionary."""
    own = {name: p for name, p in inspect.signature(command, eval_str=True).parameters.items() if name != "flags"}

    def run(**arguments: Any) -> None:
        flags = {name: arguments.pop(name) for name in Settings.model_fields}
        command(**arguments, flags={name: value for name, value in flags.items() if value is not None})

    parameters = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_flag(name))
        for name in Settings.model_fields
    ]
    run.__signature__ = inspect.Signature([*own.values(), *parameters])  # type: ignore[attr-defined]
    run.__name__, run.__doc__ = command.__name__, command.__doc__
    return run


def _flag(name: str) -> Any:
    """The annotation of a flag. Values stay words where they can: the schema checks them, wherever they come from."""
    field = Settings.model_fields[name]
    kinds = [kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)]
    words = field.description or ""
    if choices(name):
        words += f" One of {', '.join(choices(name))}."
    if field.default is not None:
        words += f" Default: {field.default}."
    flag = "--" + name.replace("_", "-")
    if kinds == [bool]:
        both = f"{flag}/--no-{flag[2:]}"
        return Annotated[
            bool | None, typer.Option(both, help=words, show_default=False, rich_help_panel=_panel(name), metavar="")
        ]
    kind = next((k.__name__.upper() for k in kinds if k in (int, float, Path)), "WORD")
    return Annotated[
        str | None, typer.Option(flag, help=words, metavar=kind, show_default=False, rich_help_panel=_panel(name))
    ]


def _panel(name: str) -> str:
    """The heading of a flag in ``--help``."""
    names = list(Settings.model_fields)
    return next(panel for first, panel in reversed(_PANELS.items()) if names.index(first) <= names.index(name))
