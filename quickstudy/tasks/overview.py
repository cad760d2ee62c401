"""Overview of the sources of tasks: their names, their numbers of classes, and a drawing of some tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quickstudy.tasks.drawing import draw_tasks
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.source import ClassSource, FunctionSource
from quickstudy.tasks.sources import SOURCES
from quickstudy.tasks.sources import source as source_of


def list_sources() -> list[dict[str, Any]]:
    """List all sources with their descriptions.

    >>> list_sources()[2]
    {'source': 'digits', 'what': 'real handwritten digits, all for testing'}
    """
    return [{"source": name, "what": cls.about} for name, cls in SOURCES.items()]


def survey(
    source: str,
    data_root: Path | str | None = None,
    *,
    download: bool = False,
    draw: Path | str | None = None,
    n_way: int = 5,
    n_shot: int = 1,
    n_query: int = 2,
    seed: int = 0,
    **settings: Any,
) -> list[dict[str, Any]]:
    """Count the classes and examples of each split of a source, and draw some of its training tasks.

    Args:
        source: Name of a source.
        data_root: Folder of the data; the cache folder if None.
        download: Download missing files, if the source can.
        draw: PNG file of the drawing; nothing is drawn if None.
        n_way: Classes of a drawn task.
        n_shot: Support examples per class.
        n_query: Query examples per class.
        seed: Seed of the tasks.
        settings: Other settings of the source, such as ``channels``; those that it does not take are ignored.

    Raises:
        SettingError: The source is unknown.
        DataError: The data is missing or damaged.

    >>> survey("digits")[2]
    {'split': 'test', 'classes': 10, 'examples': 1797, 'shape': [1, 28, 28]}
    """
    root = None if data_root is None else Path(data_root)
    origin = source_of(source, data_root=root, download=download, seed=seed, **settings)
    if isinstance(origin, FunctionSource):
        if draw is not None:
            draw_tasks(origin.tasks(n_shot, 50, seed, "train").sample(0, 4), Path(draw))
        return [{"source": source, "classes": "endless", "examples": "endless"}]
    assert isinstance(origin, ClassSource)
    splits = origin.load().splits
    if draw is not None:
        data = splits.train if splits.train.n_classes else splits.test
        draw_tasks(Episodes(data, n_way, n_shot, n_query, seed=seed).sample(0, 3), Path(draw))
    return [
        {"split": name, "classes": data.n_classes, "examples": len(data.x), "shape": list(data.x.shape[1:])}
        for name, data in splits._asdict().items()
    ]
