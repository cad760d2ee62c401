"""The frozen encoder of photographs on all test photographs of CIFAR-FS: heads on its features, nothing trained.

python -m benchmarks.cifar_frozen --data-root DIR [--n-tasks 2000] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path

import numpy as np
import torch

from benchmarks.matrix import HEADS
from quickstudy.inputs.base import Item
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.photos import Photos
from quickstudy.io.files import replace
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs

N_WAY, QUERIES = 5, 15


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of CIFAR-100's binary archive")
    parser.add_argument("--n-tasks", type=int, default=2000)
    parser.add_argument("--json", type=Path, default=Path("results/cifar-fs/frozen.json"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    test, photos = cifar_fs(given.data_root).test, Photos.encoded_by()
    items = [Item(f"row {row}", x.permute(1, 2, 0).numpy()) for row, x in enumerate(test.x)]
    data = embedded(photos, [(item, test.names[c]) for item, c in zip(items, test.y.tolist(), strict=True)])
    cells = []
    for n_shot in (1, 5):
        found: dict[str, list[float]] = {}
        for task in range(given.n_tasks):
            rng = np.random.default_rng([N_WAY, n_shot, task])
            rows = [
                rng.choice(np.flatnonzero(data.y == c), n_shot + QUERIES, replace=False)
                for c in rng.choice(data.n_classes, N_WAY, replace=False)
            ]
            support, query = (
                np.concatenate([each[part] for each in rows]) for part in (np.s_[:n_shot], np.s_[n_shot:])
            )
            y, right = np.repeat(np.arange(N_WAY), n_shot), np.repeat(np.arange(N_WAY), QUERIES)
            for name, head in HEADS.items():
                if not (name == "shrunk covariance" and n_shot == 1):  # one example has no covariance
                    found.setdefault(name, []).append(np.mean(head(data.x[support], y, data.x[query]) == right))
        heads = {
            name: {"mean": float(np.mean(a)), "ci95": float(1.96 * np.std(a, ddof=1) / len(a) ** 0.5)}
            for name, a in found.items()
        }
        cells.append({"n_way": N_WAY, "n_shot": n_shot, "n_query": QUERIES, "n_tasks": given.n_tasks, "heads": heads})
        print(json.dumps(cells[-1], indent=1), flush=True)
    record = {
        "encoder": photos.encoder,
        "split": "test classes of CIFAR-FS, read from an archive that is not the published file by its checksum",
        "transductive": False,
        "cells": cells,
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
