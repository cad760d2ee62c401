"""``quickstudy info``."""

from __future__ import annotations

from quickstudy.cli.options import Json


def info(json: Json = False) -> None:
    """Show versions, device, threads and folders, for bug reports."""
    from quickstudy.cli.output import print_json, print_rows
    from quickstudy.runs.provenance import environment

    facts = environment()
    if json:
        print_json(facts)
    else:
        print_rows([{"": name, "value": value} for name, value in facts.items()], as_json=False)
