"""A live progress bar over the outer loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol, TypeVar

from rich.progress import BarColumn, ProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from quickstudy.io.console import drawn, messages
from quickstudy.training.evaluation import Evaluation
from quickstudy.training.outer import Progress


class Stepped(Protocol):
    """Progress with the number of steps done."""

    @property
    def step(self) -> int:
        """Number of steps done."""
        ...


P = TypeVar("P", bound=Stepped)


def show(progress: Iterator[Progress], steps: int, title: str) -> Iterator[Progress]:
    """Yield the same progress, and draw it on stderr: time left, steps, loss and the last validation.

    >>> [p.step for p in show(iter([Progress(1, 0.5, 0.1, 2.0)]), steps=1, title="maml")]
    [1]
    """
    validation = ""

    def state(p: Progress) -> str:
        nonlocal validation
        if p.validation is not None:
            validation = f", validation {_short(p.validation)}"
        return f"loss {p.loss:.3g}{validation}"

    return show_steps(progress, steps, title, state)


def show_steps(progress: Iterator[P], steps: int, title: str, state: Callable[[P], str]) -> Iterator[P]:
    """Yield the same progress, and draw it on stderr: time left, steps, and what ``state`` says of each.

    The time left is always drawn; what else is drawn depends on the width of the terminal. Nothing is drawn if stderr
    is not a terminal.

    >>> [p.step for p in show_steps(iter([Progress(1, 0.5, 0.1, 2.0)]), 1, "maml", lambda p: f"loss {p.loss}")]
    [1]
    """
    width = messages.width
    columns: list[ProgressColumn] = [TimeRemainingColumn(), TextColumn("left  {task.completed}/{task.total}")]
    if width >= 60:
        columns.append(TextColumn("{task.fields[state]}"))
    if width >= 80:
        columns.append(BarColumn(bar_width=None))
    if width >= 110:
        columns = [TextColumn("{task.description}"), *columns, TimeElapsedColumn()]
    with Bar(*columns, console=messages, disable=not drawn(), expand=True) as bar:
        task = bar.add_task(title, total=steps, state="")
        for p in progress:
            bar.update(task, completed=p.step, state=state(p))
            yield p


def _short(evaluation: Evaluation) -> str:
    """Return a mean in few characters.

    >>> _short(Evaluation("accuracy", 0.9512, 0.01, 0.95, 200, False, 0.1, ()))
    '95.1 %'
    """
    return f"{100 * evaluation.mean:.1f} %" if evaluation.metric == "accuracy" else f"{evaluation.mean:.3g}"
