"""Draw tasks from a set of 12.7 GB in a file, beside the same from memory: tasks a second and resident memory.

    python -m benchmarks.stored [--tasks N] [--json FILE]

The file has the size of tiered-ImageNet at 84 x 84 and is sparse. The set in memory is a tenth of it.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import quickstudy as qs
from quickstudy.runs.provenance import provenance

N, IMAGE = 600_000, (3, 84, 84)


def speed(tasks: qs.Episodes, n: int) -> float:
    """Return tasks a second, of steps of four."""
    tasks.sample(0, 4)
    start = time.perf_counter()
    for step in range(1, n // 4 + 1):
        tasks.sample(step, 4)
    return n / (time.perf_counter() - start)


def resident() -> float:
    rows = Path("/proc/self/status").read_text().splitlines()
    return next(int(row.split()[1]) / 1024 for row in rows if row.startswith("VmHWM"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tasks", type=int, default=400)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    shape = {"n_way": 5, "n_shot": 5, "n_query": 15}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.npy")
        np.lib.format.open_memmap(path, mode="w+", dtype=np.uint8, shape=(N, *IMAGE)).flush()
        data = qs.StoredArray(path, np.arange(N) // 1200)
        stored = speed(qs.Episodes.from_dataset(data, **shape, cache=False), args.tasks)
        most = resident()
    x = torch.zeros(N // 10, *IMAGE, dtype=torch.uint8)
    memory = speed(qs.Episodes(qs.ClassDataset.from_labels(x, np.arange(N // 10) // 120), **shape), args.tasks)
    record = {
        "gigabytes": round(N * math.prod(IMAGE) / 1e9, 1),
        "tasks": args.tasks,
        "stored_per_second": round(stored, 1),
        "memory_per_second": round(memory, 1),
        "ratio": round(stored / memory, 2),
        "resident_mib": round(most),
    }
    print(record)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({**record, **provenance()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
