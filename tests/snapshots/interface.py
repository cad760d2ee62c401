"""What users write: public names with their arguments, commands with their options."""

import inspect
import json
from pathlib import Path

import typer.main

import quickstudy
import quickstudy.testing
from quickstudy.cli.app import app

PROMISED = Path(__file__).with_name("interface.json")
"""Interface of the first release of this major version, and what later ones added."""


def interface() -> dict[str, dict[str, list[str]]]:
    """Arguments of each public name and command; those that must be given are marked."""
    return {"names": names(), "commands": commands(typer.main.get_command(app))}


def names() -> dict[str, list[str]]:
    modules = {"quickstudy": quickstudy, "quickstudy.testing": quickstudy.testing}
    return {
        f"{module}.{name}": arguments(getattr(value, name))
        for module, value in modules.items()
        for name in value.__all__
    }


def arguments(value) -> list[str]:
    if not callable(value):
        return []
    given = inspect.signature(value).parameters.values()
    needed = [each.default is each.empty and each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD) for each in given]
    return [each.name + " (needed)" * must for each, must in zip(given, needed, strict=True)]


def commands(group, path: str = "quickstudy") -> dict[str, list[str]]:
    result = {}
    for name, command in group.commands.items():
        if hasattr(command, "commands"):
            result |= commands(command, f"{path} {name}")
        else:
            options = [option for each in command.params for option in (*each.opts, *each.secondary_opts)]
            needed = {each.opts[0] for each in command.params if each.required}
            result[f"{path} {name}"] = [each + " (needed)" * (each in needed) for each in options]
    return result


if __name__ == "__main__":
    PROMISED.write_text(json.dumps(interface(), indent=1) + "\n")
