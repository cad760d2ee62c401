"""What the commands print as JSON, kept: a change of the inside changes none of it.

``python -m tests.snapshots`` writes them anew; what differs then is read, and named in CHANGELOG.md.
"""

import csv
import json
import os
import sys
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from sklearn.datasets import load_digits

from quickstudy.cli import main
from quickstudy.tasks.digits import digits

KEPT = Path(__file__).with_name("commands.json")
VOLATILE = {"training", "evaluation", "seconds_per_adaptation"}
"""What depends on the machine and on the time."""

THINGS = {
    "order": ["parcel", "delivery", "shipment"], "money": ["refund", "invoice", "payment"],
    "access": ["password", "login", "account"], "travel": ["flight", "hotel", "train"],
    "food": ["pizza", "salad", "soup"], "music": ["song", "album", "concert"],
    "weather": ["rain", "storm", "sunshine"], "health": ["doctor", "medicine", "headache"],
    "school": ["homework", "teacher", "exam"], "sport": ["football", "tennis", "swimming"],
    "garden": ["rose", "lawn", "apple tree"], "home": ["sofa", "kitchen", "window"],
}  # fmt: skip
SAID = ["where is my {}", "tell me about the {}", "I have a question on a {}", "the {} was not good"]
TRAINED = ["--steps", 20, "--validation-tasks", 5, "--n-way", 2, "--n-query", 2, "--train-query", 2, "--seed", 1]


def material(folder: Path) -> None:
    """Write pictures, sentences and rows: real digits, and sentences of twelve topics."""
    data = digits()
    for c in range(10):
        for j, row in enumerate(range(int(data.starts[c]), int(data.starts[c]) + (20 if c > 7 else 10))):
            part = "pictures" if j < 10 else "few" if j < 17 else "new"
            path = folder / part / (data.names[c] if part != "new" else "") / f"{c}-{j}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(255 - data.x[row, 0].numpy()).resize((40, 40)).save(path)
    said = [(words.format(thing), label) for label, things in THINGS.items() for thing in things for words in SAID]
    for name, rows in {
        "talk.csv": said[:120],
        "tickets.csv": [r for i, r in enumerate(said[120:]) if i % 12 < 7],
    }.items():
        _table(folder / name, [dict(zip(("text", "label"), row, strict=True)) for row in rows])
    found = load_digits()
    rows = [
        {
            **{f"ink{k}": f"{x[k].sum():.0f}" for k in range(8)},
            "top": "dark" if x[0].sum() > 20 else "light",
            "label": y,
        }
        for x, y in zip(found.images, found.target, strict=True)
    ]
    of = [[row for row in rows if row["label"] == y] for y in range(10)]
    _table(folder / "digits.csv", [row for some in of for row in some[:14]])
    _table(folder / "few.csv", [row for some in of[7:] for row in some[14:21]])
    _table(folder / "unknown.csv", [{k: v for k, v in some[22].items() if k != "label"} for some in of[7:]])


def _table(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


COMMANDS: dict[str, list[object]] = {
    "images: adapt": ["adapt", "runs/images", "few", "-o", "images", "--json"],
    "images: adapt without a run": ["adapt", "few", "-o", "drawings", "--json"],
    "images: learn more": ["adapt", "drawings", "pictures", "-o", "wider", "--json"],
    "images: predict": ["predict", "images", "new/8-18.png", "new/9-19.png", "--json"],
    "images: predict sets": [
        "predict", "drawings", "new/8-18.png", "new/8-17.png", "new/9-19.png", "--coverage", 0.9, "--false-alarms", 0.1,
        "--json",
    ],
    "images: explain": ["explain", "drawings", "new/8-17.png", "--json"],
    "images: check": ["check", "pictures", "--json"],
    "images: check and label next": ["check", "few", "--unlabelled", "new", "--n", 2, "--json"],
    "images: evaluate": ["evaluate", "runs/images", "--n-way", 2, "--n-query", 2, "--n-tasks", 10, "--json"],
    "sentences: adapt": ["adapt", "runs/talk", "tickets.csv", "-o", "desk", "--json"],
    "sentences: predict": ["predict", "desk", "when do the roses bloom", "my tooth hurts", "--json"],
    "sentences: predict sets": ["predict", "desk", "a chair for the kitchen", "--coverage", 0.9, "--json"],
    "sentences: explain": ["explain", "desk", "the grass is too high", "--json"],
    "sentences: evaluate": ["evaluate", "runs/talk", "--n-way", 2, "--n-query", 2, "--n-tasks", 10, "--json"],
    "rows: adapt": ["adapt", "runs/digits", "few.csv", "-o", "sorter", "--json"],
    "rows: predict": ["predict", "sorter", "unknown.csv", "--json"],
    "rows: predict sets": ["predict", "sorter", "unknown.csv", "--coverage", 0.9, "--false-alarms", 0.1, "--json"],
    "rows: explain": ["explain", "sorter", "unknown.csv", "--json"],
    "rows: evaluate": ["evaluate", "runs/digits", "--n-way", 2, "--n-query", 2, "--n-tasks", 10, "--json"],
}  # fmt: skip
RUNS: dict[str, list[object]] = {
    "images": ["--data", "folders", "--data-root", "pictures", "--width", 8, "--train-way", 4],
    "talk": ["--data", "text", "--data-root", "talk.csv", "--train-way", 4],
    "digits": ["--data", "table", "--data-root", "digits.csv", "--train-way", 4],
}


def taken(folder: Path) -> dict[str, Any]:
    """What each command prints, in a folder of its own."""
    before = Path.cwd()
    os.chdir(folder)
    try:
        material(Path())
        for name, flags in RUNS.items():
            _call(["train", "--out", f"runs/{name}", *flags, *TRAINED])
        return {name: _stable(json.loads(_call(command))) for name, command in COMMANDS.items()}
    finally:
        os.chdir(before)


def _call(arguments: list[object]) -> str:
    argv, sys.argv = sys.argv, ["quickstudy", *map(str, arguments)]
    out = StringIO()
    try:
        with redirect_stdout(out), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = argv
    assert not ended.value.code, arguments
    return out.getvalue()


def _stable(value: Any) -> Any:
    return {k: v for k, v in value.items() if k not in VOLATILE} if isinstance(value, dict) else value
