"""Drawings of tasks as PNG files."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np

from quickstudy.errors import SettingError
from quickstudy.io.files import replace
from quickstudy.tasks.task import Examples, Task


def draw_tasks(tasks: Task, path: Path) -> None:
    """Draw each task as a row of a PNG file: support on the left, queries on the right, one column per class.

    Raises:
        SettingError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError:
        raise SettingError("matplotlib is not installed; pip install 'quickstudy[plot]'") from None
    figure = Figure(figsize=(10, 2.2 * len(tasks)), layout="constrained")
    axes = figure.subplots(len(tasks), 2, squeeze=False)
    for i, row in enumerate(axes):
        task = tasks.at(i)
        for ax, name, examples in zip(row, Task._fields, task, strict=True):
            ax.set_title(f"task {i}: {name}", fontsize=9)
            if examples.x.ndim == 4:
                ax.imshow(_sheet(examples), cmap="gray_r")
                ax.axis("off")
            else:
                ax.plot(examples.x[:, 0], examples.y[:, 0], "o", markersize=3)
                ax.set(xlim=(-5, 5), ylim=(-5.2, 5.2))
    content = BytesIO()
    figure.savefig(content, format="png", dpi=110)
    replace(path, content.getvalue())


def _sheet(examples: Examples) -> np.ndarray:
    """Return one image with the examples of each class in a column."""
    order = examples.y.argmax(-1).argsort(stable=True)
    n_way = examples.y.shape[-1]
    images = np.pad(examples.x[order].numpy(), ((0, 0), (0, 0), (1, 1), (1, 1)), constant_values=0.3)
    _, channels, height, width = images.shape
    grid = images.reshape(n_way, -1, channels, height, width).transpose(1, 3, 0, 4, 2)
    return grid.reshape(-1, n_way * width, channels)
