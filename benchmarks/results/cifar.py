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


def cifar_from_scratch() -> str:
    runs = records("cifar-scratch")
    kinds = [
        kind
        for kind in ((False, 1), (False, 5), (True, 1), (True, 5))
        if any((e["turned"], e["n_shot"]) == kind for run in runs for e in run["evaluations"])
    ]
    rows = [
        [run["name"], *(_cell(run["evaluations"], *kind) for kind in kinds), f"{run['minutes']:.0f}"] for run in runs
    ]
    one = runs[0]["evaluations"][0]
    said = prose(
        f"conv4-64 trained on the 64 training classes alone: {one['n_way']}-way, {one['n_tasks']:,} tasks of test",
        "classes, inductive, one seed. Published for plain conv4-64: RFS 62.7 and 78.7 %, distilled 63.8 and 79.5 %",
        "(Tian et al. 2020). The archive of CIFAR-100 that was used is not the published file, by its checksum.",
        "`quickstudy reproduce`.",
    )
    shots = [f"{k} shot{'s' * (k > 1)}{', mean over four turns' * turned}" for turned, k in kinds]
    return said + table(["", *shots, "minutes, one core beside other work"], rows)


def _cell(evaluations: list[Record], turned: bool, n_shot: int) -> str:
    return next((percent(e) for e in evaluations if (e["turned"], e["n_shot"]) == (turned, n_shot)), "")
