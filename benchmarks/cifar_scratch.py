"""A run that was trained on CIFAR-FS or FC100 alone: heads on its features, chosen by validation classes.

Features are centred by the training mean and of length 1, as SimpleShot's are. "views" is the mean feature over crops
and mirrored crops of a photograph, as `quickstudy evaluate --views` has it. Copies are augmented copies of the support.
All of it is inductive.

python -m benchmarks.cifar_scratch RUN cifar-fs|fc100 --data-root DIR --json FILE [--n-tasks 2000]
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from benchmarks.matrix import COPIES, HEADS
from quickstudy import load
from quickstudy.inputs.augment import augmented
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.io.files import replace
from quickstudy.learners import Prototypical, SimpleShot
from quickstudy.nets import Views
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs, fc100

SOURCES = {"cifar-fs": cifar_fs, "fc100": fc100}
N_WAY, SHOTS, QUERIES, TRIED, VIEWS = 5, (1, 5), 15, 300, 8
KINDS = ("nearest mean", "ridge regression", "logistic regression")
OWN = "nearest mean"


class Features:
    """Directions of the features of all photographs of a split, with and without views, and of changed copies."""

    def __init__(self, learner: SimpleShot | Prototypical, data: ClassDataset) -> None:
        self.y, self.n_classes, x = np.asarray(data.y), data.n_classes, as_float(data.x)
        by = torch.Generator().manual_seed(1)
        embed = learner.directions if isinstance(learner, SimpleShot) else lambda x: F.normalize(learner.embed(x))

        def embedded(x: Tensor) -> Tensor:
            with torch.no_grad():
                return torch.cat([embed(part) for part in x.split(256)])

        self.plain = embedded(x)
        changes = [2 * torch.rand(len(x), 6, generator=by) - 1 for _ in range(COPIES)]
        self.copies = [embedded(augmented(x, each)) for each in changes]
        net, learner.net = learner.net, Views(learner.net, VIEWS)
        self.viewed = embedded(x)
        learner.net = net

    def measured(self, n_shot: int, n_tasks: int) -> dict[str, dict[str, float]]:
        """Return the accuracy of each head; task i depends on i alone."""
        found: dict[str, list[float]] = {}
        for task in range(n_tasks):
            rng = np.random.default_rng([N_WAY, n_shot, task])
            classes = rng.choice(self.n_classes, N_WAY, replace=False)
            rows = [rng.choice(np.flatnonzero(self.y == c), n_shot + QUERIES, replace=False) for c in classes]
            support = np.concatenate([each[:n_shot] for each in rows])
            query = np.concatenate([each[n_shot:] for each in rows])
            y, right = np.repeat(np.arange(N_WAY), n_shot), np.repeat(np.arange(N_WAY), QUERIES)
            for kind, z in (("", self.plain), (f", {VIEWS} views", self.viewed)):
                more = torch.cat([z[support], *(copies[support] for copies in self.copies)])
                for name in KINDS:
                    head = HEADS[name]
                    for copied, answers in (
                        ("", head(z[support], y, z[query])),
                        (", copies", head(more, np.tile(y, 1 + COPIES), z[query])),
                    ):
                        found.setdefault(f"{name}{kind}{copied}", []).append(float(np.mean(answers == right)))
        return {
            name: {"mean": float(np.mean(a)), "ci95": float(1.96 * np.std(a, ddof=1) / len(a) ** 0.5)}
            for name, a in found.items()
        }


def evaluations(run: Path, source: str, root: Path, n_tasks: int) -> list[dict[str, Any]]:
    """Return the accuracy on test classes of the learner's own head and of the head chosen by validation classes."""
    learner, splits = load(run), SOURCES[source](root)
    assert isinstance(learner, SimpleShot | Prototypical)
    validation, test = Features(learner, splits.validation), Features(learner, splits.test)
    rows = []
    for n_shot in SHOTS:
        tried, heads = validation.measured(n_shot, TRIED), test.measured(n_shot, n_tasks)
        chosen = max(tried, key=lambda name: tried[name]["mean"])
        for head in (OWN, chosen):
            row = {"head": head, "chosen": head == chosen, **heads[head], "validation": tried[head]["mean"]}
            rows.append({"n_way": N_WAY, "n_shot": n_shot, "n_query": QUERIES, "n_tasks": n_tasks, **row})
            print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("source", choices=SOURCES)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of CIFAR-100's binary archive")
    parser.add_argument("--n-tasks", type=int, default=2000)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    begun = json.loads((given.run / "run.json").read_text())
    lines = [json.loads(line) for line in (given.run / "metrics.jsonl").read_text().splitlines()]
    record = {
        "source": given.source,
        "settings": begun["settings"],
        "steps": lines[-1]["step"],
        "minutes": round(lines[-1]["seconds"] / 60, 1),
        "validation_5way_5shot": [
            [line["step"], line["validation"]["mean"], line["validation"]["ci95"]]
            for line in lines
            if "validation" in line
        ],
        "transductive": False,
        "split": "test",
        "archive": "not the published file, by its checksum",
        "evaluations": evaluations(given.run, given.source, given.data_root, given.n_tasks),
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
