"""``quickstudy tasks``, ``algorithms`` and ``info``: what there is."""

from __future__ import annotations

import inspect
import json
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, get_args

import torch
from rich.console import Console
from rich.table import Column, Table

from quickstudy.cli.drawing import draw_tasks
from quickstudy.errors import SettingError, unknown
from quickstudy.inputs.cache import data_folder
from quickstudy.learners import LEARNERS
from quickstudy.runs.experiment import own_arguments
from quickstudy.runs.settings import HYPERPARAMETERS, Data
from quickstudy.tasks import sources
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.training.engine import describe

_ABOUT = {
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


def tasks(
    source: str | None,
    root: Path | None,
    download: bool,
    draw: Path | None,
    sizes: tuple[int, int, int],
    seed: int,
    as_json: bool,
) -> None:
    """List sources, or count and draw the tasks of one."""
    if source is None:
        _print([{"source": name, "what": what} for name, what in _ABOUT.items()], as_json)
        return
    if source not in get_args(Data):
        raise SettingError(unknown("source", source, get_args(Data)))
    n_way, n_shot, n_query = sizes
    if source == "sinusoid":
        if draw is not None:
            draw_tasks(Sinusoid(n_shot, 50, seed=seed).sample(0, 4), draw)
        _print([{"source": source, "classes": "endless", "examples": "endless"}], as_json)
        return
    splits = sources.load(source, root, download=download, seed=seed).splits
    rows = [
        {"split": name, "classes": data.n_classes, "examples": len(data.x), "shape": list(data.x.shape[1:])}
        for name, data in splits._asdict().items()
    ]
    if draw is not None:
        data = splits.train if splits.train.n_classes else splits.test
        draw_tasks(Episodes(data, n_way, n_shot, n_query, seed=seed).sample(0, 3), draw)
    _print(rows, as_json)


def algorithms(as_json: bool) -> None:
    """Each learner's summary, settings and paper, from its documentation."""
    rows = []
    for name, cls in LEARNERS.items():
        text = inspect.getdoc(cls) or ""
        parameters = inspect.signature(cls.__init__).parameters
        settings = {key: p.default for key, p in parameters.items() if key in HYPERPARAMETERS}
        arguments = {key: "required" if p is inspect.Parameter.empty else p for key, p in own_arguments(cls).items()}
        source = text.partition("Source: ")[2].partition("\n\n")[0].replace("\n", " ")
        row: dict[str, Any] = {
            "algorithm": name,
            "what": text.partition("\n")[0],
            "settings": settings,
            "arguments": arguments,
            "source": source,
        }
        if not as_json:
            more = {f"arguments.{key}": value for key, value in row.pop("arguments").items()}
            row["settings"] = ", ".join(f"{key} {value}" for key, value in (settings | more).items())
        rows.append(row)
    _print(rows, as_json)


def info(as_json: bool) -> None:
    """What runs here."""
    packages = ("quickstudy", "torch", "numpy", "safetensors", "pillow", "scikit-learn", "matplotlib", "tensorboard")
    facts: dict[str, Any] = {name: _version(name) for name in packages}
    facts["python"] = platform.python_version()
    facts["platform"] = platform.platform()
    facts["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    facts["threads"] = torch.get_num_threads()
    facts["engine"] = describe()
    facts["data folder"] = str(data_folder())
    if as_json:
        print(json.dumps(facts))
    else:
        _print([{"": name, "value": value} for name, value in facts.items()], as_json)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _print(rows: list[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        print(json.dumps(rows))
        return
    table = Table(*(Column(name, overflow="fold") for name in rows[0]))  # nothing is cut off
    for row in rows:
        table.add_row(*(str(value) for value in row.values()))
    Console().print(table)
