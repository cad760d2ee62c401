"""Transductive learners beside inductive ones, on the same features and tasks, with balanced and unbalanced queries.

python -m benchmarks.transductive --omniglot DIR --cifar DIR --photos DIR --json FILE [--only NAME] [--head NAME ...]

Features are those of frozen nets. Unbalanced: the classes' shares of the queries are drawn from a Dirichlet
distribution with parameter 2. A record may hold some of the data sets and heads; the page joins all records.
"""

from __future__ import annotations

import argparse
import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor
from torch.nn import functional as F

from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.photos import Photos
from quickstudy.io.files import replace
from quickstudy.learners import (
    BDCSPN,
    PTMAP,
    TIM,
    LaplacianShot,
    Learner,
    Predictor,
    Prototypical,
    TransductiveFinetune,
)
from quickstudy.learners.metric import MetricLearner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Identity
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.omniglot import omniglot
from quickstudy.tasks.task import Examples
from quickstudy.training.engine import Engine
from quickstudy.training.evaluation import evaluate

N_WAY, SHOTS, UNBALANCED = 5, (1, 5), 2.0
QUERIES = {"Omniglot": 5, "CIFAR-FS": 15, "photographs": 5}
"""Queries per class: few where a class has 20 examples, so that unbalanced tasks can have many of one class."""


class LogisticHead(Learner):
    """Logistic regression by scikit-learn, inductive."""

    def adapt(self, support: Examples) -> Predictor:
        """Fit the regression on features."""
        model = LogisticRegression(max_iter=1000).fit(support.x.numpy(), support.y.argmax(1).numpy())
        return lambda x: torch.from_numpy(model.predict_proba(x.numpy()))  # type: ignore[union-attr]


HEADS: dict[str, Callable[[int], Learner]] = {
    "Prototypical": lambda width: Prototypical(Identity(width)),
    "logistic regression": lambda width: LogisticHead(),
    "TIM, alternating": lambda width: TIM(Identity(width)),
    "TIM, by gradient": lambda width: TIM(Identity(width), alternating=False),
    "LaplacianShot": lambda width: LaplacianShot(Identity(width)),
    "PT-MAP": lambda width: PTMAP(Identity(width)),
    "BD-CSPN": lambda width: BDCSPN(Identity(width)),
    "transductive fine-tuning": lambda width: TransductiveFinetune(Identity(width)),
}
"""Heads on features, each from the width of a feature."""


def drawings(root: Path) -> ClassDataset:
    """Return Omniglot's evaluation characters by the net of glyphs-proto, which was never trained on Omniglot."""
    learner, test = ModelFolder("glyphs-proto").learner, omniglot(root).test
    assert isinstance(learner, MetricLearner)
    with torch.no_grad():
        rows = [learner.embed(as_float(part)) for part in test.x.split(256)]
    return ClassDataset(torch.cat(rows), test.y, test.names)


def small_photographs(root: Path) -> ClassDataset:
    """Return the test classes of CIFAR-FS by the frozen encoder of photographs."""
    test, photos = cifar_fs(root).test, Photos.encoded_by()
    items = [Item(f"row {row}", x.permute(1, 2, 0).numpy()) for row, x in enumerate(test.x)]
    return embedded(photos, [(item, test.names[c]) for item, c in zip(items, test.y.tolist(), strict=True)])


def photographs(root: Path) -> ClassDataset:
    """Return a folder of photographs by the frozen encoder."""
    photos = Photos.encoded_by()
    return embedded(photos, photos.labelled(root))


def directed(data: ClassDataset) -> ClassDataset:
    """Return features of length 1."""
    x: Tensor = F.normalize(data.x, dim=-1)
    return ClassDataset(x, data.y, data.names)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("omniglot", "cifar", "photos"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"folder of {name}")
    parser.add_argument("--n-tasks", type=int, default=600)
    parser.add_argument("--only", choices=QUERIES, help="one of the three data sets")
    parser.add_argument("--head", choices=HEADS, nargs="+", default=list(HEADS), help="some of the heads")
    parser.add_argument("--json", type=Path, required=True, help="the record, below results/transductive")
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    sets: dict[str, Callable[[], ClassDataset]] = {
        "Omniglot": lambda: drawings(given.omniglot),
        "CIFAR-FS": lambda: small_photographs(given.cifar),
        "photographs": lambda: photographs(given.photos),
    }
    rows: list[dict[str, Any]] = []
    how = {"n_way": N_WAY, "n_query": QUERIES, "dirichlet": UNBALANCED}
    for name, load in sets.items():
        if given.only not in (None, name):
            continue
        data = directed(load())
        for n_shot in SHOTS:
            for head in given.head:
                row: dict[str, Any] = {"data": name, "n_shot": n_shot, "head": head, "n_tasks": given.n_tasks}
                for kind, unbalanced in (("balanced", None), ("unbalanced", UNBALANCED)):
                    tasks = Episodes(data, N_WAY, n_shot, QUERIES[name], split="test", unbalanced=unbalanced)
                    started = time.perf_counter()
                    learner = HEADS[head](data.x.shape[1]).eval()
                    engine: Engine = "loop" if isinstance(learner, LogisticHead) else "vmap"
                    result = evaluate(learner, tasks, n_tasks=given.n_tasks, engine=engine)
                    row[kind] = {"mean": result.mean, "ci95": result.ci95}
                    row["transductive"] = result.transductive
                    row["ms"] = 1000 * (time.perf_counter() - started) / given.n_tasks
                rows.append(row)
                print(json.dumps(row), flush=True)
                record = {**how, "rows": rows, **provenance()}  # after each row, so that nothing is lost
                replace(given.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
