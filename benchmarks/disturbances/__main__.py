"""How disturbed may a drawing be? Omniglot's evaluation characters, five drawings each, by the shipped weights.

Each of ~100 disturbances is done to new drawings of 5-way 5-shot tasks whose examples are clean: frames, borders,
light, scale, place, rotation, noise, JPEG, pens, paper, photographs by a phone. Accuracy, mean confidence and the share
of drawings that are warned about; with --before, beside the figures of an earlier version of the package.

    python -m benchmarks.disturbances --data-root DIR [--before FILE] [--json FILE]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from benchmarks.disturbances.kinds import kinds
from benchmarks.disturbances.measure import N_QUERY, N_SHOT, N_WAY, NAME, characters, measure
from quickstudy.runs.provenance import provenance


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="folder of Omniglot's archives")
    parser.add_argument("--part", choices=["background", "evaluation"], default="evaluation")
    parser.add_argument("--n-tasks", type=int, default=60)
    parser.add_argument("--only", default="", help="beginning of the names of disturbances")
    parser.add_argument("--before", type=Path, help="record of an earlier version, to print beside this one")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    chosen = {name: disturb for name, disturb in kinds().items() if name.startswith(args.only)}
    rows = measure(chosen, characters(args.data_root, args.part), args.n_tasks)
    before = json.loads(args.before.read_text())["disturbances"] if args.before else {}
    for name, row in rows.items():
        if name in before:
            row["before"] = before[name]
        print(
            f"{name:48}",
            *(
                f"{100 * r['accuracy']['mean']:6.1f} ± {100 * r['accuracy']['ci95']:3.1f} % at {r['confidence']:.2f}"
                f" (warned {100 * r['warned']:3.0f} %)"
                for r in (before.get(name), row)
                if r
            ),
        )
    if args.json:
        record = {"model": NAME, "part": args.part, "n_way": N_WAY, "n_shot": N_SHOT, "seed": 0}
        record |= {"n_tasks": args.n_tasks, "queries": args.n_tasks * N_WAY * N_QUERY, "disturbances": rows}
        args.json.write_text(json.dumps(record | provenance(), indent=1) + "\n")


if __name__ == "__main__":
    main()
