"""Accuracy, confidence and warnings for disturbed drawings."""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.disturbances.kinds import Disturbance
from quickstudy import ClassDataset, Classifier, Item, load
from quickstudy.classify.confidence import Confidence
from quickstudy.inputs.images import Images
from quickstudy.models.folder import ModelFolder

NAME, N_WAY, N_SHOT, N_QUERY = "glyphs-proto", 5, 5, 2


def characters(root: Path, part: str) -> dict[str, list[bytes]]:
    """Return the PNG files of each character of one of Omniglot's archives."""
    result: dict[str, list[bytes]] = {}
    with zipfile.ZipFile(root / f"images_{part}.zip") as archive:
        for name in sorted(name for name in archive.namelist() if name.endswith(".png")):
            result.setdefault(name.rpartition("/")[0], []).append(archive.read(name))
    return result


def tasks(drawings: dict[str, list[bytes]], n: int) -> Iterator[tuple[Classifier, list[tuple[Image.Image, str]]]]:
    """Yield classifiers of clean drawings, each with new drawings and their labels. Task i depends on i alone."""
    learner, confidence = load(NAME), ModelFolder(NAME).entry("confidence", Confidence)
    images, names = Images(), sorted(drawings)
    for i in range(n):
        rng = np.random.default_rng([0, i])
        support, queries = [], []
        for label in rng.choice(names, N_WAY, replace=False).tolist():
            for k, j in enumerate(rng.permutation(len(drawings[label]))[: N_SHOT + N_QUERY]):
                image = Image.open(io.BytesIO(drawings[label][j])).convert("L")
                (support if k < N_SHOT else queries).append((image, label))
        x = images.encode([Item("example", image) for image, _ in support])
        data = ClassDataset.from_labels(x, [label for _, label in support])
        yield Classifier(learner, images, data, confidence), queries


def interval(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "ci95": float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)}


def measure(
    chosen: dict[str, Disturbance], drawings: dict[str, list[bytes]], n_tasks: int
) -> dict[str, dict[str, Any]]:
    """Return accuracy (with its interval over tasks), mean confidence and share of warnings for each disturbance."""
    figures: dict[str, list[tuple[float, float, float]]] = {name: [] for name in chosen}
    for i, (classifier, queries) in enumerate(tasks(drawings, n_tasks)):
        for name, disturb in chosen.items():
            rng = np.random.default_rng([i, zlib.crc32(name.encode())])
            disturbed = [Item(f"{k}", disturb(image, rng)) for k, (image, _) in enumerate(queries)]
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always")
                answers = list(classifier.answer(disturbed))
            right = [answer.label == label for answer, (_, label) in zip(answers, queries, strict=True)]
            sure = [max(answer.probabilities.values()) for answer in answers]
            figures[name].append((float(np.mean(right)), float(np.mean(sure)), len(caught) / len(queries)))
    result = {}
    for name, rows in figures.items():
        right, sure, warned = zip(*rows, strict=True)
        result[name] = {
            "accuracy": interval(right),
            "confidence": float(np.mean(sure)),
            "warned": float(np.mean(warned)),
        }
    return result
