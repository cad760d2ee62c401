"""The outer rate of every learner of the leaderboard, by classes that no result is about.

The rate than which neither its triple nor its third does better, after a short training: mean accuracy of 5-way and
20-way 1-shot tasks from Omniglot's validation alphabets, which are the same for all. What is there is left alone:

python benchmarks/rates.py --data-root data/omniglot --out results/rates maml reptile ...
"""

import argparse
import json
import shutil
from pathlib import Path

import torch
from leaderboard import REFERENCE, experiment, settings_of, step_seconds

from quickstudy import Episodes, evaluate
from quickstudy.classify.load import load
from quickstudy.runs.provenance import provenance
from quickstudy.training.process import keep_memory

FIRST = dict.fromkeys(("maml", "anil", "meta-sgd", "maml++", "imaml", "proto-maml", "reptile"), 0.002)
FIRST["cosine-baseline"] = 0.012
"""Where the search begins, if not at 0.001: what single tries had chosen."""
TASKS = {5: 200, 20: 100}
"""Tasks, by ways."""


def tried(settings, folder):
    made = experiment(settings)
    shutil.rmtree(folder, ignore_errors=True)
    for _ in made.train(folder):
        pass
    learner, data = load(folder), made.loaded.splits.validation
    found = [
        evaluate(learner, Episodes(data, n, 1, 5, split="validation"), n_tasks=k, transductive=False).mean
        for n, k in TASKS.items()
    ]
    return {"outer_lr": settings.outer_lr, "5-way": found[0], "20-way": found[1], "mean": sum(found) / len(found)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("algorithms", nargs="+")
    parser.add_argument("--data-root", type=Path, required=True, help="of Omniglot")
    parser.add_argument("--minutes", type=float, default=3, help="of a reference core, for each training")
    parser.add_argument("--runs", type=Path, default=Path("runs/rates"))
    parser.add_argument("--out", type=Path, default=Path("results/rates"))
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    args.out.mkdir(parents=True, exist_ok=True)
    speed = REFERENCE / step_seconds(settings_of("prototypical", "glyphs", None, args.seed))
    for algorithm in args.algorithms:
        path = args.out / f"{algorithm}.json"
        if path.exists():
            continue
        settings = settings_of(algorithm, "omniglot", args.data_root, args.seed)
        steps = max(1, int(60 * args.minutes / speed / step_seconds(settings)))
        settings = settings.model_copy(update={"steps": steps, "validate_every": steps})
        first = FIRST.get(algorithm, 0.001)
        tries, power = {}, 0  # by the power of three
        while power not in tries:
            rate = round(first * 3.0**power, 6)
            tries[power] = tried(settings.model_copy(update={"outer_lr": rate}), args.runs / algorithm)
            print(algorithm, steps, tries[power], flush=True)
            best = max(tries, key=lambda k: tries[k]["mean"])
            power = next((k for k in (best + 1, best - 1) if k not in tries), best)
        record = {"algorithm": algorithm, "minutes": args.minutes, "settings": settings.model_dump(mode="json")}
        path.write_text(json.dumps({**record, "tries": list(tries.values()), **provenance()}, indent=1) + "\n")


if __name__ == "__main__":
    main()
