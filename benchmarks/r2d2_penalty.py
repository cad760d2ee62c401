"""R2-D2's penalty in two forms, at shots unlike those trained on: the same for any support, and growing with it.

Classes: a training of each by the leaderboard's recipe, of 1 shot, tested on Omniglot's validation alphabets. Real
targets: three trainings of each on sinusoids from 10 points, tested on validation tasks. A training that is there is
only tested again:

python -m benchmarks.r2d2_penalty --data-root data/omniglot
"""

import argparse
import json
from pathlib import Path

import torch

import quickstudy as qs
from benchmarks.leaderboard import REFERENCE, accuracy, chosen, recipe, settings_of, step_seconds, train
from quickstudy.classify.load import load
from quickstudy.io.files import replace
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import complete
from quickstudy.tasks.sources import source
from quickstudy.training.process import keep_memory

MINUTES, N_TASKS = 10, 300
CELLS = ((5, 1), (5, 2), (5, 5), (5, 10), (20, 1), (20, 5), (20, 10))
POINTS = (5, 10, 20, 40)


def classes(mean_loss, folder, data_root):
    if not (folder / "result.json").exists():
        speed = REFERENCE / step_seconds(settings_of("prototypical", "glyphs", None, 0))
        form = chosen("r2d2") | {"arguments": {"mean_loss": mean_loss}}
        train(complete(recipe("r2d2", "omniglot", data_root, 0) | form), MINUTES, speed, folder)
    learner = load(folder)
    validation = source("omniglot", data_root=data_root).load().splits.validation
    return [
        accuracy(learner, validation, *cell, N_TASKS if cell[0] == 5 else N_TASKS // 3, transductive=False)
        for cell in CELLS
    ]


def numbers(mean_loss, seed):
    torch.manual_seed(seed)
    learner = qs.R2D2(qs.MLP(1, (40, 40)), loss="mse", mean_loss=mean_loss)
    qs.train(learner, qs.Sinusoid(n_shot=10, n_query=10), steps=3000, tasks_per_step=25)
    tests = {n: qs.Sinusoid(n_shot=n, n_query=50, split="validation") for n in POINTS}
    return [{"n_shot": n, **qs.evaluate(learner, tasks, n_tasks=N_TASKS).summary()} for n, tasks in tests.items()]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, required=True, help="of Omniglot")
    parser.add_argument("--runs", type=Path, default=Path("runs/r2d2"))
    parser.add_argument("--out", type=Path, default=Path("results/r2d2"))
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    forms = [
        {
            "mean_loss": mean_loss,
            "omniglot, validation alphabets": classes(mean_loss, given.runs / name, given.data_root),
            "sinusoids": [{"seed": seed, "rows": numbers(mean_loss, seed)} for seed in range(3)],
        }
        for name, mean_loss in (("sum", False), ("mean", True))
    ]
    given.out.mkdir(parents=True, exist_ok=True)
    record = {"minutes": MINUTES, "outer_lr": chosen("r2d2")["outer_lr"], "forms": forms, **provenance()}
    replace(given.out / "penalty.json", (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
