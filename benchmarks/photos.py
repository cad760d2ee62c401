"""The model for photographs that comes with quickstudy, and its promises, on photographs that nobody here made.

Ridge regression on EfficientNet-Lite0's features, calibrated on every second category of a folder of photographs and
measured on all (accuracy) and on the others (confidence); nothing is trained.

python benchmarks/photos.py --data-root DIR [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata
from sklearn.linear_model import LogisticRegression

from quickstudy import ClassDataset, Classifier, Episodes, Identity, Prototypical
from quickstudy.classify.confidence import Confidence, calibrate, calibration_error
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import encoded
from quickstudy.inputs.photo_encoder import EFFICIENTNET
from quickstudy.inputs.photos import Photos
from quickstudy.io.files import replace
from quickstudy.learners import Learner
from quickstudy.learners.r2d2 import R2D2
from quickstudy.models.folder import SHIPPED, ModelFolder
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.task import Examples

MODEL, QUERIES, COVERAGE, ALARMS = "efficientnet-r2d2", 10, 0.9, 0.05


def interval(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "ci95": float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)}


def drawn(data: ClassDataset, n_way: int, n_shot: int, task: int) -> tuple[list[int], list[int], np.ndarray]:
    """Return rows of support and queries, class by class, and the classes. Task i depends on i alone."""
    rng = np.random.default_rng([n_way, n_shot, task])
    classes = rng.choice(data.n_classes, n_way, replace=False)
    rows = [rng.permutation(np.flatnonzero(data.y.numpy() == c)) for c in classes]
    return (
        [i for each in rows for i in each[:n_shot]],
        [i for each in rows for i in each[n_shot : n_shot + QUERIES]],
        classes,
    )


def heads(n: int) -> dict[str, Learner]:
    return {"R2D2": R2D2(Identity(n)), "nearest mean": Prototypical(Identity(n))}


def accuracies(data: ClassDataset, n_way: int, n_shot: int, n_tasks: int) -> dict[str, Any]:
    """Return accuracy of each head on the same tasks, and the difference from logistic regression task by task."""
    found: dict[str, list[float]] = {}
    y, right = np.repeat(np.arange(n_way), n_shot), np.repeat(np.arange(n_way), QUERIES)
    for task in range(n_tasks):
        support, query, _ = drawn(data, n_way, n_shot, task)
        x, q = data.x[support], data.x[query]
        answers = {"logistic regression": LogisticRegression(max_iter=1000).fit(x.numpy(), y).predict(q.numpy())}
        for name, learner in heads(x.shape[1]).items():
            with torch.no_grad():
                answers[name] = learner.adapt(Examples(x, torch.eye(n_way)[y]))(q).argmax(1).numpy()
        for name, answer in answers.items():
            found.setdefault(name, []).append(float((answer == right).mean()))
    plain = found["logistic regression"]
    row: dict[str, Any] = {name: interval(values) for name, values in found.items()}
    row["R2D2 minus logistic regression"] = interval([a - b for a, b in zip(found["R2D2"], plain, strict=True)])
    return {"n_way": n_way, "n_shot": n_shot, "n_query": QUERIES, "n_tasks": n_tasks, **row}


def promises(data: ClassDataset, confidence: Confidence, n_way: int, n_shot: int, n_tasks: int) -> dict[str, Any]:
    """Return what confidence, sets and "none of these" are worth; strangers are photographs of other categories."""
    inside, sizes, alarms, strangers, areas, all_p, all_right = [], [], [], [], [], [], []
    for task in range(n_tasks):
        support, query, classes = drawn(data, n_way, n_shot, task)
        others = np.flatnonzero(~np.isin(data.y.numpy(), classes))
        odd = np.random.default_rng([9, task]).choice(others, n_way * QUERIES, replace=False)
        names = [str(c) for c in np.repeat(np.arange(n_way), n_shot)]
        few = Classifier(
            R2D2(Identity(data.x.shape[1])), Photos(), ClassDataset.from_labels(data.x[support], names), confidence
        )
        right = [str(c) for c in np.repeat(np.arange(n_way), QUERIES)]
        wish: dict[str, Any] = {"coverage": COVERAGE, "false_alarms": ALARMS} if n_shot > 1 else {}
        known, unknown = (list(few.answer(data.x[rows], **wish)) for rows in (query, odd))
        for answer, label in zip(known, right, strict=True):
            all_p.append([answer.probabilities[name] for name in few.labels])
            all_right.append(few.labels.index(label))
        if n_shot == 1:
            continue
        inside.append(np.mean([label in (a.members or ()) for a, label in zip(known, right, strict=True)]))
        sizes.append(np.mean([len(a.members or ()) for a in known]))
        alarms.append(np.mean([bool(a.none) for a in known]))
        strangers.append(np.mean([bool(a.none) for a in unknown]))
        with torch.no_grad():
            fit = [few._predictor(data.x[rows]).amax(1).numpy() for rows in (query, odd)]
        ranks = rankdata(np.concatenate(fit))[: len(query)]
        areas.append((ranks.sum() - len(query) * (len(query) + 1) / 2) / (len(query) * len(odd)))
    row = {"n_way": n_way, "n_shot": n_shot, "n_query": QUERIES, "n_tasks": n_tasks}
    row["calibration_error"] = calibration_error(torch.tensor(all_p), torch.tensor(all_right))
    kinds = {
        "coverage": inside,
        "set_size": sizes,
        "false_alarms": alarms,
        "strangers_found": strangers,
        "auroc": areas,
    }
    return row | {name: interval(values) for name, values in kinds.items() if values}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of photographs, one folder per category")
    parser.add_argument("--n-tasks", type=int, default=600)
    parser.add_argument("--json", type=Path, default=Path("results/photos/efficientnet-r2d2.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    inputs = Photos.fitted(())
    data = prepared(f"photos-{inputs.sha256}", lambda: encoded(inputs, Photos.labelled(given.data_root)))
    even, odd = (data.select(list(range(start, data.n_classes, 2))) for start in (0, 1))
    learner = R2D2(Identity(*inputs.shape)).eval()
    calibration = calibrate(learner, Episodes(even, 5, 5, QUERIES, split="validation"), 5, 5, n_tasks=1000)
    confidence = calibration.confidence
    ModelFolder(SHIPPED / MODEL).write(learner, inputs, confidence=vars(confidence))
    accuracy = [accuracies(data, n_way, n_shot, given.n_tasks) for n_way, n_shot in ((5, 1), (5, 5), (20, 5))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kept = [promises(odd, confidence, n_way, n_shot, given.n_tasks) for n_way, n_shot in ((5, 1), (5, 5), (10, 5))]
    record = {
        "model": MODEL,
        "encoder": EFFICIENTNET,
        "split": f"{data.n_classes} categories for accuracy; every second for calibration, the others for promises",
        "transductive": False,
        "coverage_wanted": COVERAGE,
        "false_alarms_wanted": ALARMS,
        "accuracy": accuracy,
        "promises": kept,
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())
    print(json.dumps({"accuracy": accuracy, "promises": kept}, indent=1))


if __name__ == "__main__":
    main()
