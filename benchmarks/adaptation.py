"""Time what a server pays: one learner adapted to one new task, and the answer to one query.

5-way tasks on conv4-64 at 28x28, one process; each learner with its own number of steps outside of training, in turn.

    python benchmarks/adaptation.py [--tasks N] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import quickstudy as qs
from quickstudy.learners import LEARNERS
from quickstudy.runs.provenance import provenance

WARM = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=200)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    data = qs.glyphs((1, 1, 100)).test
    rows = []
    for n_shot in (1, 5):
        tasks = qs.Episodes(data, 5, n_shot, 1, split="test")
        learners = {
            name: make(qs.Conv4(), **({} if make.episodic else {"n_classes": 100})).eval()
            for name, make in LEARNERS.items()
            if make is not qs.NearestPixels
        }
        seconds: dict[str, list[float]] = {name: [] for name in learners}
        for step in range(WARM + args.tasks):
            support, query = tasks.sample(step, 1).at(0)
            for name, learner in learners.items():
                start = time.perf_counter()
                with torch.no_grad():
                    learner.adapt(support)(query.x[:1])
                seconds[name].append(time.perf_counter() - start)
        for name, learner in learners.items():
            timed = 1e3 * torch.tensor(seconds[name][WARM:])
            p50, p95 = timed.quantile(torch.tensor([0.5, 0.95])).tolist()
            steps = next(filter(None, (getattr(learner, k, 0) for k in ("test_steps", "inner_steps", "head_steps"))), 0)
            rows.append({"learner": name, "n_shot": n_shot, "steps": steps, "p50_ms": p50, "p95_ms": p95})
            print(f"{name:13} {n_shot}-shot, {steps} steps: p50 {p50:7.2f} ms, p95 {p95:7.2f} ms")
    if args.json:
        record = {"rows": rows, "tasks": args.tasks, "threads": torch.get_num_threads(), **provenance()}
        args.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
