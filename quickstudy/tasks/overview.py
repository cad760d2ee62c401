"""The sources of tasks: what there is, how many classes each has, and a drawing of some tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quickstudy.errors import SettingError, unknown
from quickstudy.tasks import sources
from quickstudy.tasks.drawing import draw_tasks
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.sinusoid import Sinusoid

ABOUT = {
    "glyphs": "invented characters, embedded and without end",
    "omniglot": "1,623 characters of 50 alphabets, 20 drawings each",
    "digits": "real handwritten digits, all for testing",
    "folders": "your own images, a folder a class (--data-root)",
    "mini-imagenet": "100 classes of photographs, 84x84 (--data-root)",
    "clinc150": "sentences of 150 intents in 10 domains, embedded; download it",
    "text": "your own sentences with labels: a CSV, JSONL or Parquet file of text and label",
    "table": "rows of numbers and categories: a CSV, JSONL or Parquet file with a column label",
    "sinusoid": "regression on sine waves",
}
"""What each source is, in a few words."""


def list_sources() -> list[dict[str, Any]]:
    """List every source with what it is.

    >>> list_sources()[2]
    {'source': 'digits', 'what': 'real handwritten digits, all for testing'}
    """
    return [{"source": name, "what": what} for name, what in ABOUT.items()]


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
) -> list[dict[str, Any]]:
    """Count the classes and examples of each split of a source, and draw some of its training tasks.

    Args:
        source: Name of a source.
        data_root: Folder of the data; the cache folder if None.
        download: Fetch what is missing, where that is allowed.
        draw: PNG file of the drawing; None draws nothing.
        n_way: Classes of a drawn task.
        n_shot: Support examples of each class.
        n_query: Query examples of each class.
        seed: Seed of the tasks.

    Raises:
        SettingError: The source is unknown.
        DataError: The data is missing or damaged.

    >>> survey("digits")[2]
    {'split': 'test', 'classes': 10, 'examples': 1797, 'shape': [1, 28, 28]}
    """
    if source not in ABOUT:
        raise SettingError(unknown("source", source, ABOUT))
    if source == "sinusoid":
        if draw is not None:
            draw_tasks(Sinusoid(n_shot, 50, seed=seed).sample(0, 4), Path(draw))
        return [{"source": source, "classes": "endless", "examples": "endless"}]
    root = None if data_root is None else Path(data_root)
    splits = sources.load(source, root, download=download, seed=seed).splits
    if draw is not None:
        data = splits.train if splits.train.n_classes else splits.test
        draw_tasks(Episodes(data, n_way, n_shot, n_query, seed=seed).sample(0, 3), Path(draw))
    return [
        {"split": name, "classes": data.n_classes, "examples": len(data.x), "shape": list(data.x.shape[1:])}
        for name, data in splits._asdict().items()
    ]
