"""``quickstudy tasks``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quickstudy.cli.options import DataRoot, Json


def tasks(
    source: Annotated[str | None, typer.Argument(help="Name of a source; all sources are listed if not given.")] = None,
    data_root: DataRoot = None,
    download: Annotated[bool, typer.Option("--download", help="Download missing files.")] = False,
    draw: Annotated[Path | None, typer.Option("--draw", "-o", help="PNG file in which to draw some tasks.")] = None,
    n_way: Annotated[int, typer.Option(min=1, help="Classes of a drawn task.")] = 5,
    n_shot: Annotated[int, typer.Option(min=1, help="Support examples per class.")] = 1,
    n_query: Annotated[int, typer.Option(min=1, help="Query examples per class.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the tasks.")] = 0,
    image_size: Annotated[int, typer.Option(min=16, help="Pixels per side of images of folders, as in train.")] = 28,
    channels: Annotated[int, typer.Option(min=1, max=3, help="1 reads images of folders as grey, 3 as colour.")] = 1,
    ink: Annotated[bool, typer.Option("--ink/--no-ink", help="Images of folders are drawings.")] = True,
    json: Json = False,
) -> None:
    """List the sources of tasks, count the classes of a source, or draw its tasks."""
    from quickstudy.cli.output import print_rows
    from quickstudy.tasks.overview import list_sources, survey

    if source is None:
        rows = list_sources()
    else:
        if draw is not None:
            import logging

            logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it would warn about a cache that it cannot write
        sizes = {"n_way": n_way, "n_shot": n_shot, "n_query": n_query, "seed": seed}
        reading = {"image_size": image_size, "channels": channels, "ink": ink}
        rows = survey(source, data_root, download=download, draw=draw, **sizes, **reading)
    print_rows(rows, json)
