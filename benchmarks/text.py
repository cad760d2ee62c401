"""Heads meta-learned on frozen sentence embeddings beside plain classifiers on the same, on domains never seen.

Validation domains chose the training of the heads (steps and rate); test domains are evaluated once.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from quickstudy.runs.experiment import Experiment
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import complete
from quickstudy.tasks.clinc150 import out_of_scope
from quickstudy.tasks.episodes import Episodes
from quickstudy.training.process import keep_memory

CELLS = [(5, 1), (5, 5), (15, 1), (15, 5)]
HEADS = {
    "prototypical": {"train_way": 15, "train_query": 5, "outer_lr": 3e-4},
    "matching": {"train_way": 15, "train_query": 5, "outer_lr": 3e-4},
    "r2d2": {"train_way": 15, "train_query": 5, "outer_lr": 3e-4},
    "anil": {"train_way": 15, "train_query": 5, "tasks_per_step": 1, "inner_lr": 0.1, "outer_lr": 3e-4},
}


def nearest_mean(task, x):
    """Cosine to the mean embedding of each class: scores (n, n_way)."""
    means = np.stack([task.support.x[task.support.y[:, c] > 0].mean(0) for c in range(task.support.y.shape[1])])
    return x @ (means / np.linalg.norm(means, axis=1, keepdims=True)).T


def logistic(task, x):
    fitted = LogisticRegression(C=10, max_iter=1000).fit(task.support.x.numpy(), task.support.y.argmax(1).numpy())
    return fitted.predict_proba(x)


PLAIN = {"mean of embeddings": nearest_mean, "logistic regression": logistic}


def difference(ours, theirs):
    """Of accuracies on the same tasks: mean and 95% interval."""
    gained = np.subtract(ours, theirs)
    return {"mean": float(gained.mean()), "ci95": float(1.96 * gained.std(ddof=1) / len(gained) ** 0.5)}


def learned(learner):
    def scores(task, x):
        with torch.no_grad():
            return learner.adapt(task.support)(torch.as_tensor(x)).numpy()

    return scores


def measure(scores, data, strangers, n_way, n_shot, n_tasks):
    tasks = Episodes(data, n_way, n_shot, 10, seed=0, split="test")
    rng = np.random.default_rng([0, n_way, n_shot])
    accuracies, areas, seconds = [], [], 0.0
    for i in range(n_tasks):
        task = tasks.sample(i, 1).at(0)
        some = strangers[rng.choice(len(strangers), 50, replace=False)]
        x = np.concatenate([task.query.x.numpy(), some])
        start = time.perf_counter()
        found = scores(task, x)
        seconds += time.perf_counter() - start
        known = len(task.query.x)
        accuracies.append((found[:known].argmax(1) == task.query.y.argmax(1).numpy()).mean())
        areas.append(roc_auc_score(np.arange(len(x)) < known, found.max(1)))
    interval = [1.96 * np.std(values, ddof=1) / n_tasks**0.5 for values in (accuracies, areas)]
    return {
        "accuracies": accuracies,
        "mean": float(np.mean(accuracies)),
        "ci95": float(interval[0]),
        "auroc": float(np.mean(areas)),
        "auroc_ci95": float(interval[1]),
        "n_tasks": n_tasks,
        "transductive": False,
        "seconds_per_task": seconds / n_tasks,
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--n-tasks", type=int, default=600)
    parser.add_argument("--split", choices=["validation", "test"], default="test")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    given = {"data": "clinc150", "steps": args.steps, "validate_every": 250, "n_way": 15, "n_query": 10}
    given |= {"data_root": args.data_root} if args.data_root else {}
    rows, task_by_task, contenders = [], {}, dict(PLAIN)
    for name, settings in HEADS.items():
        for n_shot in (1, 5):
            run = Experiment(complete({**given, **settings, "algorithm": name, "n_shot": n_shot}))
            seconds = [p.seconds for p in run.train()][-1]
            contenders[f"{name}, {n_shot}-shot training"] = learned(run.learner.eval())
            print(f"{name} {n_shot}-shot: trained in {seconds:.0f} s", flush=True)
            data = run.loaded.splits._asdict()[args.split]
    strangers = out_of_scope(args.data_root).numpy()
    for name, scores in contenders.items():
        for n_way, n_shot in CELLS:
            if "training" in name and f"{n_shot}-shot" not in name:
                continue
            row = measure(scores, data, strangers, n_way, n_shot, args.n_tasks)
            task_by_task[name, n_way, n_shot] = row.pop("accuracies")
            row["beyond"] = {
                plain: difference(task_by_task[name, n_way, n_shot], task_by_task[plain, n_way, n_shot])
                for plain in PLAIN
                if "training" in name
            }
            rows.append({"head": name.split(",")[0], "n_way": n_way, "n_shot": n_shot, **row})
            print(
                f"{name:36} {n_way:2}-way {n_shot}-shot {100 * row['mean']:.2f} ± {100 * row['ci95']:.2f}, "
                f"none of these {row['auroc']:.3f}",
                flush=True,
            )
    if args.json:
        split = f"{args.split} domains of CLINC150"
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps({"split": split, "rows": rows, **provenance()}, indent=2) + "\n")


if __name__ == "__main__":
    main()
