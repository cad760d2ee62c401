"""Shares of an outer step's time, of this package and of a plain loop, on one thread.

python -m benchmarks.speed.profile [--rows N ...] [--out FILE]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch.profiler import profile

from benchmarks.speed.contenders import Step, ours, plain_loop
from benchmarks.speed.work import WORKS, Work
from quickstudy.io import files
from quickstudy.runs.provenance import provenance

KINDS = {
    "convolution": ("conv", "col2im", "im2col"),
    "matrix product": ("mm", "linear", "matmul"),
    "pooling": ("pool", "scatter", "gather"),
    "batch norm": ("batch_norm", "var_mean", "addcmul"),
    "copies": ("copy", "cat", "stack", "fill", "zero", "empty", "clone"),
}
"""Parts of the names of torch's operations, by what they compute. The first that fits counts."""

REPETITIONS = 3


def kind(operation: str) -> str:
    """Return what an operation of torch computes.

    >>> kind("aten::convolution_backward"), kind("aten::bmm"), kind("aten::relu")
    ('convolution', 'matrix product', 'other operations')
    """
    return next((kind for kind, parts in KINDS.items() if any(p in operation for p in parts)), "other operations")


def shares(step: Step, steps: int) -> dict[str, float]:
    """Return shares of the time of some steps. What lies outside of torch's operations is Python's and autograd's."""
    with profile() as profiled:
        start = time.perf_counter()  # starting and ending the profiler takes longer than a step
        for _ in range(steps):
            step()
        whole = 1e6 * (time.perf_counter() - start)
    result = dict.fromkeys([*KINDS, "other operations"], 0.0)
    for event in profiled.key_averages():
        if event.key.startswith("aten::"):
            result[kind(event.key)] += event.self_cpu_time_total / whole
    return result | {"Python and autograd": 1 - sum(result.values())}


def milliseconds(steps: list[Step]) -> list[float]:
    """Return the processor's time of each step, in turn; medians."""
    times: list[list[float]] = [[] for _ in steps]
    for _ in range(REPETITIONS):
        for step, of_step in zip(steps, times, strict=True):
            start = time.process_time()
            step()
            of_step.append(1000 * (time.process_time() - start))
    return [median(of_step) for of_step in times]


def row(work: Work) -> dict[str, Any]:
    """Return the times and shares of a row of the benchmark."""
    ways = {"ours": ours(work), "plain loop": plain_loop(work)}
    for step in ways.values():
        step()
    times = dict(zip(ways, milliseconds(list(ways.values())), strict=True))
    return {
        "work": str(work),
        "times_plain_loop": times["plain loop"] / times["ours"],
        **{
            name: {"milliseconds": times[name], "shares": shares(step, max(1, round(200 / times[name])))}
            for name, step in ways.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.speed.profile", description=str(__doc__))
    parser.add_argument("--out", type=Path, help="write the shares as JSON")
    parser.add_argument("--rows", type=int, nargs="+", default=range(len(WORKS)), help="numbers of the rows, from 0")
    options = parser.parse_args()
    torch.set_num_threads(1)
    rows = [row(WORKS[number]) for number in options.rows]
    record = json.dumps({"rows": rows, "repetitions": REPETITIONS, **provenance()}, indent=2)
    if options.out is not None:
        files.replace(options.out, (record + "\n").encode())
    print(record)


if __name__ == "__main__":
    main()
