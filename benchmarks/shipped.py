"""What the weights that come with quickstudy do on characters they never saw: Omniglot's evaluation alphabets, glyphs.

Accuracy, calibration, coverage, strangers, pixels, advice and latency, each over new tasks. Nothing here is fitted or
chosen by what it measures: the confidence is the one that is kept with the weights.
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from sklearn.metrics import roc_auc_score

from quickstudy import ClassDataset, Classifier, Episodes, glyphs, load, omniglot
from quickstudy.classify.advice import next_to_label, suspects
from quickstudy.classify.confidence import Confidence, calibration_error
from quickstudy.classify.explanation import pixels
from quickstudy.inputs.images import Images
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.provenance import provenance

NAME = "glyphs-proto"


def interval(values):
    return {"mean": float(np.mean(values)), "ci95": float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)}


def accuracy(learner, told, data, n_way, n_shot, n_tasks):
    """Accuracy, calibration error and coverage on tasks of a kind."""
    tasks = Episodes(data, n_way, n_shot, 15 if n_way == 5 else 5, split="test")
    right, probabilities, plain, answers = [], [], [], []
    with torch.no_grad():
        for i in range(n_tasks):
            task = tasks.sample(i, 1).at(0)
            logits = learner.adapt(task.support)(task.query.x).double()
            y = task.query.y.argmax(1)
            right.append(float((logits.argmax(1) == y).double().mean()))
            plain.append(logits.softmax(1))
            probabilities.append((logits / told.scale(n_shot)).softmax(1))
            answers.append(y)
    p, y = torch.cat(probabilities), torch.cat(answers)
    inside = told.members(p, 0.9)
    return {
        "n_way": n_way,
        "n_shot": n_shot,
        **interval(right),
        "n_tasks": n_tasks,
        "transductive": False,
        "calibration_error_plain": calibration_error(torch.cat(plain), y),
        "calibration_error": calibration_error(p, y),
        "coverage_asked": 0.9,
        "coverage": float(inside.gather(1, y[:, None]).double().mean()),
        "set_size": float(inside.sum(1).double().mean()),
    }


def strangers(learner, told, data, n_tasks):
    """Six classes, of which five are shown: which queries fit none of them?"""
    tasks = Episodes(data, 6, 1, 5, split="test")
    areas, alarms, found = [], [], []
    with torch.no_grad():
        for i in range(n_tasks):
            task = tasks.sample(i, 1).at(0)
            shown = task.support.y[:, 5] == 0
            support = type(task.support)(task.support.x[shown], task.support.y[shown, :5])
            logits = learner.adapt(support)(task.query.x).double()
            known = (task.query.y[:, 5] == 0).numpy()
            areas.append(roc_auc_score(known, logits.amax(1).numpy()))
            strange = told.strangers(logits, 0.05).numpy()
            alarms.append(strange[known].mean())
            found.append(strange[~known].mean())
    return {
        "auroc": interval(areas),
        "false_alarms_asked": 0.05,
        "false_alarms": interval(alarms),
        "strangers_found": interval(found),
        "n_tasks": n_tasks,
    }


def faithfulness(learner, data, n_tasks):
    """How much probability the answer loses where a tenth of the pixels is wiped out: the top ones, or random ones."""
    tasks, rng = Episodes(data, 5, 1, 1, split="test"), np.random.default_rng(0)
    lost = {name: [] for name in ("occlusion", "integrated-gradients", "random pixels", "random ink")}
    for i in range(n_tasks):
        task = tasks.sample(i, 1).at(0)
        few = Classifier(learner, Images(), ClassDataset(task.support.x, torch.arange(5), tuple("abcde")))
        x = task.query.x[0]
        p = few.predict_proba(x[None])[0]
        n, ink = x.numel() // 10, np.flatnonzero(x.numpy().ravel() > 0.1)
        chosen = {name: pixels(few, x, name).ravel().argsort()[-n:] for name in ("occlusion", "integrated-gradients")}
        chosen["random pixels"] = rng.choice(x.numel(), n, replace=False)
        chosen["random ink"] = rng.choice(ink, min(n, len(ink)), replace=False)
        for name, rows in chosen.items():
            wiped = x.clone().flatten()
            wiped[rows] = 0
            lost[name].append(p.max() - few.predict_proba(wiped.view_as(x)[None])[0, p.argmax()])
    return {name: interval(values) for name, values in lost.items()} | {"n_tasks": n_tasks}


def labels(learner, data, n_tasks):
    """One of 25 examples is labelled wrongly: is it named, and how many others are?"""
    tasks = Episodes(data, 5, 5, 0, split="test")
    named, wrongly = [], []
    for i in range(n_tasks):
        x, y = tasks.sample(i, 1).at(0).support
        names = y.argmax(1).tolist()
        names[0] = (names[0] + 1) % 5
        few = Classifier(learner, Images(), ClassDataset.from_labels(x, names))
        rows = [suspect.row for suspect in suspects(few)]
        planted = [bool(torch.equal(few.data.x[row], x[0])) for row in rows]
        named.append(any(planted))
        wrongly.append((len(rows) - sum(planted)) / 24)
    return {"recall": interval(named), "others_suspected": interval(wrongly), "n_tasks": n_tasks}


def label_next(learner, data, n_tasks):
    """Accuracy after labelling some of a pool of 60 images of 5 classes, chosen here or at random."""
    tasks, rng, rows = Episodes(data, 5, 12, 5, split="test"), np.random.default_rng(0), []
    for n in (5, 10, 20):
        ours, random = [], []
        for i in range(n_tasks):
            task = tasks.sample(i, 1).at(0)
            with torch.no_grad():
                few = Classifier(learner, Images(), ClassDataset(task.support.x[:5], torch.arange(5), tuple("abcde")))
                pool = few.embed(task.support.x).numpy()
                for scores, chosen in (
                    (ours, next_to_label(None, pool, n)),
                    (random, rng.choice(len(pool), n, replace=False)),
                ):
                    shown = type(task.support)(task.support.x[chosen], task.support.y[chosen])
                    answers = learner.adapt(shown)(task.query.x).argmax(1)
                    scores.append(float((answers == task.query.y.argmax(1)).double().mean()))
        gained = interval(np.subtract(ours, random))
        rows.append({"labelled": n, "ours": interval(ours), "random": interval(random), "gained": gained})
    return {"rows": rows, "n_tasks": n_tasks}


def latency(learner, data, n_tasks):
    """Milliseconds to learn 5 classes of 5 images and to label one more, one thread."""
    tasks, taken = Episodes(data, 5, 5, 1, split="test"), []
    for i in range(n_tasks):
        task = tasks.sample(i, 1).at(0)
        start = time.perf_counter()
        with torch.no_grad():
            learner.adapt(task.support)(task.query.x[:1]).softmax(1)
        taken.append(1e3 * (time.perf_counter() - start))
    return {"p50_ms": float(np.quantile(taken, 0.5)), "p95_ms": float(np.quantile(taken, 0.95)), "n_tasks": n_tasks}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-root", type=Path, help="of Omniglot")
    parser.add_argument("--n-tasks", type=int, default=600)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    learner, told, n = load(NAME), ModelFolder(NAME).entry("confidence", Confidence), args.n_tasks
    sources = {"omniglot, evaluation alphabets": omniglot(args.data_root).test, "glyphs, test classes": glyphs().test}
    record = {"model": NAME}
    for name, data in sources.items():
        rows = [
            accuracy(learner, told, data, *cell, max(n, 1000) if n >= 600 else n)
            for cell in ((5, 1), (5, 5), (20, 1), (20, 5))
        ]
        record[name] = {
            "accuracy": rows,
            "none of these": strangers(learner, told, data, n),
            "deleted pixels": faithfulness(learner, data, n // 3),
            "wrong labels": labels(learner, data, n // 3),
            "label next": label_next(learner, data, n // 3),
            "latency": latency(learner, data, n // 3),
        }
        print(name, json.dumps(record[name], indent=1), flush=True)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(record | provenance(), indent=2) + "\n")


if __name__ == "__main__":
    main()
