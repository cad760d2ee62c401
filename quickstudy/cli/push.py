"""``quickstudy push``."""

from __future__ import annotations

from typing import Annotated

import typer

from quickstudy.cli.options import Json, ModelName


def push(
    model: ModelName,
    repository: Annotated[
        str, typer.Argument(help="Repository on the Hugging Face Hub: user/model.", show_default=False)
    ],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    examples: Annotated[
        bool,
        typer.Option("--examples", help="Also upload a classifier's examples: names, small pictures, sentences, rows."),
    ] = False,
    json: Json = False,
) -> None:
    """Upload a model to the Hugging Face Hub, with a model card of its run."""
    from quickstudy.cli.output import print_json
    from quickstudy.sharing.hub import push_to_hub

    address = push_to_hub(model, repository, private=private, examples=examples)
    if json:
        print_json({"model": address})
    else:
        print(address)
