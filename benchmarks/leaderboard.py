"""Every learner on equal terms: one net, one source of tasks, one budget of work, tests on new classes.

The budget is in minutes of a core on which Prototypical's step takes 0.4 s. Cores differ threefold, learners' steps
against Prototypical's hardly, so that rows from different machines stand beside each other.

Trained on Omniglot's background alphabets (rotations as classes), validated on three of them, and tested where no class
was seen: Omniglot's evaluation alphabets, glyphs and digits. The outer rate and the test steps come from each learner's
study. What is there is left alone, and a training that has ended is only tested again:

python -m benchmarks.leaderboard --data-root data/omniglot --out results/leaderboard maml reptile ...
"""

import argparse
import json
import shutil
import time
from pathlib import Path

import torch

from quickstudy import Episodes, evaluate
from quickstudy.classify.confidence import answers, calibrate, calibration_error
from quickstudy.classify.load import load
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import complete
from quickstudy.tasks.sources import source
from quickstudy.training.process import keep_memory

# Gradient learners learn fastest here from one large task a step, with heads from zero and a pooled net, as all have.
_LARGE = {"train_way": 20, "train_query": 2, "tasks_per_step": 1}
RECIPES = {
    "maml": {**_LARGE, "inner_lr": 0.05},
    "anil": {**_LARGE, "inner_lr": 0.1, "inner_steps": 1},
    "meta-sgd": {**_LARGE, "inner_lr": 0.008},
    "maml++": {**_LARGE, "inner_lr": 0.02, "inner_steps": 3},
    "imaml": {
        **_LARGE,
        "inner_lr": 0.01,
        "inner_steps": 5,
        "penalty": 2.0,
        "damping": 1000.0,
        "cg_steps": 2,
    },
    "proto-maml": _LARGE,
    "reptile": {
        "train_way": 20,
        "train_shot": 5,
        "inner_rule": "sgd",
        "inner_lr": 0.03,
        "inner_batch": 20,
        "tasks_per_step": 1,
        "optimizer": "adam",
        "schedule": "cosine",
    },
    "siamese": {"train_way": 40, "train_query": 3},
    "relation": {"train_query": 5, "tasks_per_step": 2},
}
"""What differs from the presets, beside what a study of each chooses."""
STUDIES = Path(__file__).parent.parent / "results" / "studies"
CELLS = ((5, 1), (5, 5), (20, 1), (20, 5))
SHOTS, WAYS = (1, 2, 5, 10, 15, 19), (2, 5, 10, 20, 40, 64)
CHECKS = 5
"""Validations of a training."""
REFERENCE = 0.4
"""Seconds that Prototypical's step takes on the core whose minutes are counted."""


def recipe(algorithm, data, data_root, seed):
    """Settings of a learner, without what its study chooses."""
    given = {"algorithm": algorithm, "data": data, "seed": seed, "threads": 1, "validation_tasks": 60}
    if data_root is not None:
        given["data_root"] = data_root
    if data in ("omniglot", "digits"):
        given["rotations"] = "classes"
    elif data == "glyphs":
        given["glyph_classes"] = 3000
    pool = {} if algorithm in ("nearest-pixels", "relation") else {"pool": True}  # neither has a net that can pool
    return given | pool | RECIPES.get(algorithm, {})


def chosen(algorithm):
    """Outer rate and test steps, by validation classes: benchmarks/studies.py."""
    record = STUDIES / f"{algorithm}.json"
    return json.loads(record.read_text())["chosen"] if record.exists() else {}


def settings_of(algorithm, data, data_root, seed):
    return complete(recipe(algorithm, data, data_root, seed) | chosen(algorithm))


def experiment(settings, splits=None):
    """The experiment of settings, on other classes than those of its source if they are given."""
    made = Experiment(settings)
    if splits is not None:
        made.loaded = made.loaded._replace(splits=splits)
    return made


def step_seconds(settings, splits=None):
    """Seconds of processor time that a step takes; others on the machine do not count."""
    trial = experiment(settings.model_copy(update={"steps": 60, "validate_every": 10**9}), splits)
    taken = [time.process_time() for _ in trial.train()]
    return (taken[-2] - taken[4]) / (len(taken) - 6)  # the last holds a validation


def train(settings, minutes, speed, folder, splits=None):
    """Train for as many steps as fit, the rate falling to 0; validation accuracy against seconds of training.

    speed: how many reference cores this one is.
    """
    steps = max(CHECKS, int(60 * minutes / speed / step_seconds(settings, splits)))
    settings = settings.model_copy(update={"steps": steps, "validate_every": steps // CHECKS})
    curve, spent, last = [], 0.0, time.process_time()
    for p in experiment(settings, splits).train(folder):
        now = time.process_time()
        if p.validation is None:  # a validation's time is not training
            spent += now - last
        else:
            curve.append({"seconds": round(spent, 1), "step": p.step, "accuracy": p.validation.mean})
        last = now
    told = {"seconds": round(spent, 1), "speed": round(speed, 3), "curve": curve}
    return {"settings": settings.model_dump(mode="json"), **told}


def accuracy(learner, data, n_way, n_shot, n_tasks, **how):
    n_query = min(15 if n_way <= 5 else 5, int(data.counts.min()) - n_shot)
    tasks = Episodes(data, n_way, n_shot, n_query, split="test")
    return {"n_way": n_way, "n_shot": n_shot, **evaluate(learner, tasks, n_tasks=n_tasks, **how).summary()}


def believed(learner, validation, test, n_tasks):
    """Calibration error on test tasks, plain and by the temperature that validation tasks gave."""
    told = calibrate(learner, Episodes(validation, 5, 1, 15, split="validation"), 5, 1, n_tasks=n_tasks).confidence
    logits, right = answers(learner, Episodes(test, 5, 1, 15, split="test"), range(n_tasks))
    errors = {"plain": calibration_error(logits.softmax(1), right)}
    return errors | {"calibrated": calibration_error((logits / told.scale(1)).softmax(1), right), "n_tasks": n_tasks}


def measure(learner, tests, validation, n_tasks, curves):
    """Tables, and curves over shots and ways; of twenty ways a third of the tasks, of curves a sixth."""
    at_home, third, sixth = tests["omniglot"], n_tasks // 3, n_tasks // 6
    record = {
        "cells": [
            accuracy(learner, at_home, *cell, n_tasks if cell[0] == 5 else third, transductive=transductive)
            for cell in CELLS
            for transductive in (False, True)
        ],
        "elsewhere": [
            {"data": name, **accuracy(learner, tests[name], 5, shot, n_tasks, transductive=False)}
            for name in ("glyphs", "digits")
            for shot in (1, 5)
        ],
    }
    if curves:
        record["shots"] = [accuracy(learner, at_home, 5, k, sixth, transductive=False) for k in SHOTS]
        record["ways"] = [accuracy(learner, at_home, n, 1, sixth, transductive=False) for n in WAYS]
        record["calibration_error"] = believed(learner, validation, at_home, sixth)
    return record


def arguments(about, name, minutes):
    """A parser of what every program that trains by these recipes takes."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("algorithms", nargs="+")
    parser.add_argument("--minutes", type=float, default=minutes, help="of a reference core, for a training")
    parser.add_argument("--runs", type=Path, default=Path("runs") / name)
    parser.add_argument("--out", type=Path, default=Path("results") / name)
    parser.add_argument("--seed", type=int, default=0)
    return parser


def main():
    parser = arguments(__doc__, "leaderboard", minutes=10)
    parser.add_argument("--data-root", type=Path, required=True, help="of Omniglot")
    parser.add_argument("--n-tasks", type=int, default=300)
    parser.add_argument("--curves", action=argparse.BooleanOptionalAction, default=True, help="over shots and ways")
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    loaded = {name: source(name, data_root=args.data_root).load().splits for name in ("omniglot", "glyphs", "digits")}
    tests = {name: splits.test for name, splits in loaded.items()}
    speed = REFERENCE / step_seconds(settings_of("prototypical", "glyphs", None, args.seed))
    for algorithm in args.algorithms:
        path = args.out / f"{algorithm}-seed{args.seed}.json"
        if path.exists():
            continue
        folder, trained = args.runs / path.stem, args.runs / path.name
        settings = settings_of(algorithm, "omniglot", args.data_root, args.seed)
        if not trained.exists():
            shutil.rmtree(folder, ignore_errors=True)  # of a training that was cut: its time is not known
            trained.write_text(json.dumps(train(settings, args.minutes, speed, folder)))
        record = {
            "algorithm": algorithm,
            "seed": args.seed,
            "minutes": args.minutes,
            "test_steps": settings.test_steps,
            **measure(load(folder), tests, loaded["omniglot"].validation, args.n_tasks, args.curves),
            "training": json.loads(trained.read_text()),
            **provenance(),
        }
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(record, indent=1) + "\n")
        first, fifth = record["cells"][0], record["cells"][2]
        print(f"{path.stem}: {100 * first['mean']:.2f}, {100 * fifth['mean']:.2f}", flush=True)


if __name__ == "__main__":
    main()
