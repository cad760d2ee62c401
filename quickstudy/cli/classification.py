"""``quickstudy adapt`` and ``quickstudy predict``."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from quickstudy.classify.classifier import Classifier, confidence, encoder_name, image_format, table_format
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import read_image
from quickstudy.inputs.rows import read_rows
from quickstudy.io.files import whole_folder
from quickstudy.models.build import load, read_config
from quickstudy.models.seal import seal
from quickstudy.tasks.folders import read_folder
from quickstudy.tasks.text import embedded, read_sentences, sentence_encoder

NONE = "none of these"


def adapt(run: Path, source: Path, out: Path, as_json: bool) -> None:
    """Learn from a folder of class folders or a file, and write a classifier; one that is there learns more."""
    if out.exists() and any(out.iterdir() if out.is_dir() else [out]):
        raise SettingError(f"{str(out)!r} is there already; choose another folder with -o")
    data = _read_labelled(run, source)
    if "labels" in read_config(run):
        classifier = Classifier.load(run).extend(data)
    else:
        formats = image_format(run), confidence(run), encoder_name(run), table_format(run)
        classifier = Classifier(load(run), data, *formats)
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
    """Label image files, sentences or rows of tables; everything is read before the first line is printed."""
    classifier = Classifier.load(folder)
    kind = "text" if classifier.encoder else "row" if classifier.table else "image"
    names, x = read(classifier, folder, asked)
    table = classifier.predict_proba(x)
    rows: list[dict[str, Any]] = [
        {kind: name, "label": classifier.labels[row.argmax()], "probabilities": row}
        for name, row in zip(names, table, strict=True)
    ]
    if false_alarms is not None:
        for row, stranger in zip(rows, classifier.none_of_these(x, false_alarms), strict=True):
            row["label"] = None if stranger else row["label"]
    if coverage is not None:
        for row, labels in zip(rows, classifier.predict_sets(x, coverage), strict=True):
            row["set"] = labels
    _print(rows, kind, classifier.labels, as_json, as_csv)


def read(classifier: Classifier, folder: Path, asked: list[str]) -> tuple[list[str], Tensor]:
    """Image files, sentences as they are, or files of rows, as the classifier takes them, and what to call each."""
    if classifier.encoder is not None:
        return asked, sentence_encoder(classifier.encoder)(asked)
    if classifier.table is not None:
        files = {each: list(read_rows(Path(each))) for each in asked}
        names = [f"{each} row {i + 1}" for each, rows in files.items() for i in range(len(rows))]
        if not names:
            raise DataError(f"{asked[0]!r} holds no rows; give at least one")
        return names, classifier.table.vectors([row for rows in files.values() for row in rows])
    if classifier.images is None:
        raise DataError(f"{str(folder)!r} classifies neither files nor sentences; use it from Python")
    return asked, torch.from_numpy(np.stack([read_image(Path(each), classifier.images) for each in asked]))


def _read_labelled(run: Path, source: Path) -> ClassDataset:
    if (images := image_format(run)) is not None:
        return read_folder(source, images)
    if (table := table_format(run)) is not None:
        return table.read(source)
    if (encoder := encoder_name(run)) is not None:
        return embedded(*read_sentences(source), encoder)
    raise ModelError(f"{str(run)!r} was trained on neither images, sentences nor tables, so it cannot learn from files")


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
