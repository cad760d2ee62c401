"""The progress bar fits the terminal, and the time left is always to be seen."""

import io
import re

import pytest
from rich.console import Console

from quickstudy.io import console as io_console
from quickstudy.training import bar
from quickstudy.training.bar import show
from quickstudy.training.evaluation import Evaluation
from quickstudy.training.outer import Progress

VALIDATION = Evaluation("accuracy", 0.9512, 0.0123, 0.96, 200, False, 0.1, ())


def drawn(width, monkeypatch):
    terminal = Console(file=io.StringIO(), width=width, force_terminal=True, color_system=None)
    for module in (io_console, bar):
        monkeypatch.setattr(module, "messages", terminal)
    steps = (Progress(i, 123.456789, 1e-3, i / 10, VALIDATION if i == 5 else None) for i in range(1, 11))
    list(show(steps, 100_000, "prototypical on mini-imagenet"))
    return re.split(r"[\r\n]+", re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "\n", terminal.file.getvalue()))


@pytest.mark.parametrize("width", [40, 60, 80, 100, 110, 120, 200])
def test_the_bar_fits_and_shows_the_time_left(width, monkeypatch):
    lines = [line for line in drawn(width, monkeypatch) if line.strip()]
    assert lines
    for line in lines:
        assert len(line) <= width
        assert re.search(r"-:--:--|\d+:\d\d:\d\d", line), line
    last = lines[-1]
    if width >= 60:
        assert "10/100000  loss 123, validation 95.1 %" in re.sub(r" +", " ", last).replace("100000 ", "100000  "), last
