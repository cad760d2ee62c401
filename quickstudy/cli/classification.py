"""``quickstudy adapt`` and ``quickstudy predict``."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from quickstudy.classifier import Classifier, confidence, image_format
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.files import whole_folder
from quickstudy.model import load
from quickstudy.seal import seal
from quickstudy.tasks.folders import read_folder
from quickstudy.tasks.images import read_image

NONE = "none of these"


def adapt(run: Path, folder: Path, out: Path, as_json: bool) -> None:
    """Learn from a folder of class folders and write a classifier."""
    images = image_format(run)
    if images is None:
        raise ModelError(f"{str(run)!r} was not trained on images, so it cannot learn from a folder of them")
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise SettingError(f"{str(out)!r} is there already; choose another folder with -o")
    classifier = Classifier(load(run), read_folder(folder, images), images, confidence(run))
    with whole_folder(out) as partial:
        classifier.save(partial)
        seal(partial)
    counts = dict(zip(classifier.labels, classifier.data.counts.tolist(), strict=True))
    if as_json:
        print(json.dumps({"classifier": str(out), "examples": counts}))
    else:
        total = ", ".join(f"{label} {count}" for label, count in counts.items())
        print(f"{out}: learned {len(counts)} classes ({total})")


def predict(
    folder: Path,
    paths: list[Path],
    as_json: bool,
    as_csv: bool,
    coverage: float | None = None,
    false_alarms: float | None = None,
) -> None:
    """Label image files; every file is read before the first line is printed."""
    classifier = Classifier.load(folder)
    if classifier.images is None:
        raise DataError(f"{str(folder)!r} does not classify images of files; use it from Python")
    x = np.stack([read_image(path, classifier.images) for path in paths])
    table = classifier.predict_proba(x)
    rows: list[dict[str, Any]] = [
        {"image": str(path), "label": classifier.labels[row.argmax()], "probabilities": row}
        for path, row in zip(paths, table, strict=True)
    ]
    if false_alarms is not None:
        for row, stranger in zip(rows, classifier.none_of_these(x, false_alarms), strict=True):
            row["label"] = None if stranger else row["label"]
    if coverage is not None:
        for row, labels in zip(rows, classifier.predict_sets(x, coverage), strict=True):
            row["set"] = labels
    _print(rows, classifier.labels, as_json, as_csv)


def _print(rows: list[dict[str, Any]], labels: tuple[str, ...], as_json: bool, as_csv: bool) -> None:
    sets = "set" in rows[0]
    if as_json:
        for row in rows:
            row["probabilities"] = dict(zip(labels, row["probabilities"].tolist(), strict=True))
        print(json.dumps(rows))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["image", "label", *labels, *(["set"] if sets else [])])
        for row in rows:
            several = ["|".join(row["set"])] if sets else []
            writer.writerow([row["image"], row["label"], *(f"{p:.6f}" for p in row["probabilities"]), *several])
    else:
        for row in rows:
            known = f"\t{{{', '.join(row['set'])}}}" if sets else ""
            print(f"{row['image']}\t{row['label'] or NONE}\t{100 * row['probabilities'].max():.1f} %{known}")
