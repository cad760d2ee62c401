"""``quickstudy adapt`` and ``quickstudy predict``."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from quickstudy.classifier import Classifier, confidence, encoder_name, image_format
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.files import whole_folder
from quickstudy.model import load
from quickstudy.seal import seal
from quickstudy.tasks.folders import read_folder
from quickstudy.tasks.images import read_image
from quickstudy.tasks.text import embedded, read_sentences, sentence_encoder

NONE = "none of these"


def adapt(run: Path, folder: Path, out: Path, as_json: bool) -> None:
    """Learn from a folder of class folders, or a file of sentences, and write a classifier."""
    images, encoder = image_format(run), encoder_name(run)
    if images is None and encoder is None:
        raise ModelError(f"{str(run)!r} was trained on neither images nor sentences, so it cannot learn from files")
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise SettingError(f"{str(out)!r} is there already; choose another folder with -o")
    data = read_folder(folder, images) if images else embedded(*read_sentences(folder))
    classifier = Classifier(load(run), data, images, confidence(run), encoder)
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
    asked: list[str],
    as_json: bool,
    as_csv: bool,
    coverage: float | None = None,
    false_alarms: float | None = None,
) -> None:
    """Label image files or sentences; everything is read before the first line is printed."""
    classifier = Classifier.load(folder)
    kind = "text" if classifier.encoder else "image"
    x = read(classifier, folder, asked)
    table = classifier.predict_proba(x)
    rows: list[dict[str, Any]] = [
        {kind: each, "label": classifier.labels[row.argmax()], "probabilities": row}
        for each, row in zip(asked, table, strict=True)
    ]
    if false_alarms is not None:
        for row, stranger in zip(rows, classifier.none_of_these(x, false_alarms), strict=True):
            row["label"] = None if stranger else row["label"]
    if coverage is not None:
        for row, labels in zip(rows, classifier.predict_sets(x, coverage), strict=True):
            row["set"] = labels
    _print(rows, kind, classifier.labels, as_json, as_csv)


def read(classifier: Classifier, folder: Path, asked: list[str]) -> np.ndarray:
    """Image files, or sentences as they are, as the classifier takes them."""
    if classifier.encoder is not None:
        return sentence_encoder(classifier.encoder)(asked).numpy()
    if classifier.images is None:
        raise DataError(f"{str(folder)!r} classifies neither images of files nor sentences; use it from Python")
    return np.stack([read_image(Path(each), classifier.images) for each in asked])


def _print(rows: list[dict[str, Any]], kind: str, labels: tuple[str, ...], as_json: bool, as_csv: bool) -> None:
    sets = "set" in rows[0]
    if as_json:
        for row in rows:
            row["probabilities"] = dict(zip(labels, row["probabilities"].tolist(), strict=True))
        print(json.dumps(rows))
    elif as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow([kind, "label", *labels, *(["set"] if sets else [])])
        for row in rows:
            several = ["|".join(row["set"])] if sets else []
            writer.writerow([row[kind], row["label"], *(f"{p:.6f}" for p in row["probabilities"]), *several])
    else:
        for row in rows:
            known = f"\t{{{', '.join(row['set'])}}}" if sets else ""
            print(f"{row[kind]}\t{row['label'] or NONE}\t{100 * row['probabilities'].max():.1f} %{known}")
