"""``quickstudy check``."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quickstudy.classify.advice import confusable, duplicates, next_to_label, suspects, unbalanced
from quickstudy.classify.classifier import Classifier, confidence, image_format
from quickstudy.errors import DataError, ModelError
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import ImageFormat, read_image
from quickstudy.models.build import load
from quickstudy.tasks.folders import find_classes, image_files


def check(folder: Path, model: Path, unlabelled: Path | None, n: int, as_json: bool) -> None:
    """Tell what is wrong with a folder of class folders, and which images to label next."""
    images = image_format(model)
    if images is None:
        raise ModelError(f"{str(model)!r} was not trained on images, so it cannot judge any; give another --model")
    files = [(path, label) for label, paths in find_classes(folder).items() for path in paths]
    read, damaged = _read([path for path, _ in files], images)
    kept = [files[i] for i in read]
    if len({label for _, label in kept}) < 2:
        raise DataError(f"{str(folder)!r} has no two classes with readable images; add some")
    y = [label for _, label in kept]
    names = sorted(set(y))
    rows = sorted(range(len(kept)), key=lambda i: names.index(y[i]))
    x = torch.from_numpy(np.stack([read[i] for i in read]))[rows]
    data = ClassDataset(x, torch.tensor([names.index(y[i]) for i in rows]), tuple(names))
    paths = [str(kept[i][0]) for i in rows]
    classifier = Classifier(load(model), data, images, confidence(model))
    counts = Counter(y)
    report: dict[str, Any] = {
        "examples": dict(counts),
        "unreadable": damaged,
        "duplicates": [
            {"first": paths[pair.first], "second": paths[pair.second], "exact": pair.exact}
            for pair in duplicates(classifier)
        ],
        "suspects": [
            {"image": paths[s.row], "label": s.label, "better": s.better, "probability": s.probability}
            for s in suspects(classifier)
        ],
        "confusable": [pair._asdict() for pair in confusable(classifier)],
        "unbalanced": unbalanced(counts),
    }
    if unlabelled is not None:
        report["label_next"] = _next(classifier, unlabelled, images, n)
    if as_json:
        print(json.dumps(report))
    else:
        _tell(report, counts)


def _read(paths: list[Path], images: ImageFormat) -> tuple[dict[int, np.ndarray], list[str]]:
    read, damaged = {}, []
    for i, path in enumerate(paths):
        try:
            read[i] = read_image(path, images)
        except DataError as error:
            damaged.append(str(error))
    return read, damaged


def _next(classifier: Classifier, folder: Path, images: ImageFormat, n: int) -> list[str]:
    paths = image_files(folder)
    read, _ = _read(paths, images)
    if not read:
        raise DataError(f"{str(folder)!r} holds no readable images to label next")
    pool = classifier.embed(classifier.inputs(torch.from_numpy(np.stack(list(read.values())))))
    rows = list(read)
    return [str(paths[rows[i]]) for i in next_to_label(classifier, pool.numpy(), min(n, len(rows)))]


def _tell(report: dict[str, Any], counts: Counter[str]) -> None:
    print(f"{sum(counts.values())} images of {len(counts)} classes")
    for line in report["unreadable"]:
        print(f"unreadable: {line}")
    for pair in report["duplicates"]:
        kind = "the same image" if pair["exact"] else "nearly the same image"
        print(f"{kind}, so remove one: {pair['first']} and {pair['second']}")
    for each in report["suspects"]:
        print(
            f"wrong label? {each['image']} is called {each['label']}, and looks like {each['better']} "
            f"({100 * each['probability']:.0f} %)"
        )
    for pair in report["confusable"]:
        print(
            f"easily confused: {pair['first']} and {pair['second']}; give each more examples that show the difference"
        )
    for label in report["unbalanced"]:
        print(f"few examples: {label} has {counts[label]}, others up to {max(counts.values())}; add some")
    if not any(report[name] for name in ("unreadable", "duplicates", "suspects", "confusable", "unbalanced")):
        print("nothing is wrong")
    for path in report.get("label_next", []):
        print(f"label next: {path}")
