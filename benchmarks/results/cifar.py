"""Sections of docs/results.md about CIFAR-FS."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import prose

Record = dict[str, Any]


def frozen_on_cifar() -> str:
    record = records("cifar-fs")[0]
    heads = list(record["cells"][-1]["heads"])
    rows = [
        [f"{c['n_way']}-way {c['n_shot']}-shot", *(percent(c["heads"][h]) if h in c["heads"] else "" for h in heads)]
        for c in record["cells"]
    ]
    said = prose(
        f"Heads on the features of {record['encoder']}, which was trained on ImageNet; nothing is trained here.",
        f"{record['cells'][0]['n_tasks']:,} tasks of {record['cells'][0]['n_query']} queries per class, inductive.",
        f"Images: {record['split']}. ImageNet has most of these classes, so this is no figure of new classes.",
        "Published beside it: frozen CLIP ViT-B, nearest mean 57.7 and 81.0 % (Fifty et al. 2024, CAML, table 1).",
        "`benchmarks/cifar_frozen.py`.",
    )
    return said + table(["", *heads], rows)


def from_scratch() -> str:
    runs = records("cifar-scratch")
    rows = [
        [
            run["source"],
            run["settings"]["algorithm"],
            f"{e['n_way']}-way {e['n_shot']}-shot",
            _head(e),
            "transductive" if e.get("transductive") else "inductive",
            percent(e),
            f"{e['n_tasks']:,}",
            f"{run['steps']:,} steps in {run['settings']['precision']}, {run['minutes']:.0f} minutes",
        ]
        for run in runs
        for e in run["evaluations"]
    ]
    n_query = runs[0]["evaluations"][0]["n_query"]
    said = prose(
        "Each conv4-64 saw the training classes alone. Validation classes chose checkpoint and head. Figures are of",
        f"tasks of {n_query} queries per class of test classes, one seed.",
        'Features are centred by the training mean and have length 1. "Views": the mean feature of crops of a',
        'photograph, every second one mirrored. "Copies": the support has augmented copies too.',
        "MAML started from the net of simple-shot on these classes.",
        "Published for plain conv4-64 on CIFAR-FS: Prototypical 55.5 and 72.0 %",
        "(Lee et al. 2019), RFS 62.7 and 78.7 %, distilled 63.8 and 79.5 % (Tian et al. 2020).",
        "Transductive MAML with half as many filters has 58.9 and 71.5 % there (Bertinetto et al. 2019).",
        "Published on FC100: Prototypical 35.3 and 48.6 %, RFS 39.6 and 53.5 %.",
        "The archive of CIFAR-100 that was used is not the published file, by its checksum.",
        "`quickstudy reproduce --list`, `benchmarks/cifar_gradient.py`, `benchmarks/cifar_scratch.py`.",
    )
    return said + table(
        ["classes of", "learner", "task", "head", "queries", "accuracy", "tasks", "training, one core"], rows
    )


def _head(evaluation: Record) -> str:
    if "test_steps" in evaluation:
        return f"{evaluation['test_steps']} inner steps (chosen)"
    return f"{evaluation['head']} (chosen)" if evaluation["chosen"] else str(evaluation["head"])
