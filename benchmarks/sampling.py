"""What share of a training step goes to drawing its tasks, at every row of ``python -m benchmarks.speed``.

Real steps of the outer loop, with the task source timed inside them.

    python -m benchmarks.sampling [--json FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import quickstudy as qs
from benchmarks.speed.work import WORKS
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.task import Task, TaskSource
from quickstudy.training.process import keep_memory

SECONDS = 3.0
"""That a row takes at least."""


class Timed:
    """A source that adds up the time it takes."""

    def __init__(self, source: TaskSource) -> None:
        self.source, self.seconds = source, 0.0

    def sample(self, step: int, n_tasks: int) -> Task:
        start = time.perf_counter()
        tasks = self.source.sample(step, n_tasks)
        self.seconds += time.perf_counter() - start
        return tasks


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    keep_memory()
    rows = []
    for work in WORKS:
        learner, source = work.learner(), Timed(work.source())
        optimizer = torch.optim.SGD(learner.parameters(), 1e-4)
        loop = qs.outer_loop(learner, source, optimizer, steps=10**6, tasks_per_step=work.n_tasks)
        next(loop)
        start, source.seconds, steps = time.perf_counter(), 0.0, 0
        while time.perf_counter() - start < SECONDS:
            next(loop)
            steps += 1
        whole = time.perf_counter() - start
        rows.append(
            {"work": str(work), "steps": steps, "step_ms": 1e3 * whole / steps, "share": source.seconds / whole}
        )
        print(f"{100 * source.seconds / whole:5.2f} % of {1e3 * whole / steps:7.1f} ms  {work}")
    if args.json:
        args.json.write_text(json.dumps({"rows": rows, **provenance()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
