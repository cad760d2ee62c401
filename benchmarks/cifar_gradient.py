"""A learner by gradient that was trained on CIFAR-FS: its accuracy, transductive and inductive.

Validation tasks choose the number of inner steps, for each of the two.

python -m benchmarks.cifar_gradient RUN --data-root DIR --json FILE [--n-tasks 2000]
"""

from __future__ import annotations

import argparse
import json
import warnings
from pathlib import Path
from typing import Any

import torch

from quickstudy import Episodes, evaluate, load
from quickstudy.io.files import replace
from quickstudy.learners.gradient import GradientLearner
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs

N_WAY, N_QUERY, TRIED, STEPS = 5, 15, 300, (3, 5, 10)


def evaluations(learner: GradientLearner, n_shot: int, root: Path, n_tasks: int) -> list[dict[str, Any]]:
    """Return the accuracy on test classes with and without the queries' own statistics."""
    splits = cifar_fs(root)
    tasks = {
        split: Episodes(getattr(splits, split), N_WAY, n_shot, N_QUERY, split=split) for split in ("validation", "test")
    }
    rows = []
    for transductive in (True, False):
        tried = {}
        for steps in STEPS:
            learner.test_steps = steps
            tried[steps] = evaluate(learner, tasks["validation"], n_tasks=TRIED, transductive=transductive).mean
        learner.test_steps = max(tried, key=lambda steps: tried[steps])
        found = evaluate(learner, tasks["test"], n_tasks=n_tasks, transductive=transductive)
        rows.append(
            {
                "n_way": N_WAY,
                "n_shot": n_shot,
                "n_query": N_QUERY,
                "n_tasks": n_tasks,
                "transductive": transductive,
                "test_steps": learner.test_steps,
                "validation": tried,
                "mean": found.mean,
                "ci95": found.ci95,
            }
        )
        print(json.dumps(rows[-1]), flush=True)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of CIFAR-100's binary archive")
    parser.add_argument("--n-tasks", type=int, default=2000)
    parser.add_argument("--json", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    settings = json.loads((given.run / "run.json").read_text())["settings"]
    lines = [json.loads(line) for line in (given.run / "metrics.jsonl").read_text().splitlines()]
    learner = load(given.run)
    assert isinstance(learner, GradientLearner)
    record = {
        "source": "cifar-fs",
        "settings": settings | {"init": "the net of simple-shot", "data_root": "DIR"},
        "steps": lines[-1]["step"],
        "minutes": round(lines[-1]["seconds"] / 60, 1),
        "split": "test",
        "archive": "not the published file, by its checksum",
        "evaluations": evaluations(learner, settings["n_shot"], given.data_root, given.n_tasks),
        **provenance(),
    }
    replace(given.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
