"""A live progress bar over the outer loop."""

from __future__ import annotations

from collections.abc import Iterator

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from quickstudy.io.console import drawn, messages
from quickstudy.training.outer import Progress


def show(progress: Iterator[Progress], steps: int, title: str) -> Iterator[Progress]:
    """Yield the same progress, and draw it on stderr: steps, loss, last validation and time left.

    Nothing is drawn if stderr is not a terminal.

    >>> [p.step for p in show(iter([Progress(1, 0.5, 0.1, 2.0)]), steps=1, title="maml")]
    [1]
    """
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed}/{task.total}  {task.fields[state]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Bar(*columns, console=messages, disable=not drawn()) as bar:
        task = bar.add_task(title, total=steps, state="")
        validation = ""
        for p in progress:
            if p.validation is not None:
                validation = f", validation {p.validation}"
            bar.update(task, completed=p.step, state=f"loss {p.loss:.4f}{validation}")
            yield p
