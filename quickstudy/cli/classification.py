"""``quickstudy adapt`` and ``quickstudy predict``."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import numpy as np

from quickstudy.classifier import Classifier, image_format
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.files import whole_folder
from quickstudy.model import load
from quickstudy.seal import seal
from quickstudy.tasks.folders import read_folder
from quickstudy.tasks.images import read_image


def adapt(run: Path, folder: Path, out: Path, as_json: bool) -> None:
    """Learn from a folder of class folders and write a classifier."""
    images = image_format(run)
    if images is None:
        raise ModelError(f"{str(run)!r} was not trained on images, so it cannot learn from a folder of them")
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise SettingError(f"{str(out)!r} is there already; choose another folder with -o")
    classifier = Classifier(load(run), read_folder(folder, images), images)
    with whole_folder(out) as partial:
        classifier.save(partial)
        seal(partial)
    counts = dict(zip(classifier.labels, classifier.data.counts.tolist(), strict=True))
    if as_json:
        print(json.dumps({"classifier": str(out), "examples": counts}))
    else:
        total = ", ".join(f"{label} {count}" for label, count in counts.items())
        print(f"{out}: learned {len(counts)} classes ({total})")


def predict(folder: Path, paths: list[Path], as_json: bool, as_csv: bool) -> None:
    """Label image files; every file is read before the first line is printed."""
    classifier = Classifier.load(folder)
    if classifier.images is None:
        raise DataError(f"{str(folder)!r} does not classify images of files; use it from Python")
    x = np.stack([read_image(path, classifier.images) for path in paths])
    table = classifier.predict_proba(x)
    best = [classifier.labels[i] for i in table.argmax(1)]
    if as_json:
        rows = [
            {
                "image": str(path),
                "label": label,
                "probabilities": dict(zip(classifier.labels, row.tolist(), strict=True)),
            }
            for path, label, row in zip(paths, best, table, strict=True)
        ]
        print(json.dumps(rows))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(["image", "label", *classifier.labels])
        for path, label, row in zip(paths, best, table, strict=True):
            writer.writerow([path, label, *(f"{p:.6f}" for p in row)])
    else:
        for path, label, row in zip(paths, best, table, strict=True):
            print(f"{path}\t{label}\t{100 * row.max():.1f} %")
