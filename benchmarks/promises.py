"""Are sets and "none of these" what they promise, for characters and digits that the shipped weights never saw?

Of each task one class more is drawn than shown: its queries are the strangers. Asked: sets that hold the answer in 90 %
of cases, and 10 % false alarms; conformal_quantile by the classifier's own examples, and by the calibration alone.

python benchmarks/promises.py --data-root DIR --json results/promises/glyphs-proto.json
"""

import argparse
import json
from pathlib import Path

import numpy as np
import torch

from quickstudy import ClassDataset, Classifier, Episodes, load
from quickstudy.classify.confidence import Confidence
from quickstudy.inputs.images import Images
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.sources import source

NAME, COVERAGE, FALSE_ALARMS = "glyphs-proto", 0.9, 0.1
CELLS = ((5, 2), (5, 5), (9, 5), (19, 5))


def interval(values):
    return {"mean": float(np.mean(values)), "ci95": float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)}


def kept(learner, told, data, n_way, n_shot, n_tasks):
    tasks = Episodes(data, n_way + 1, n_shot, 5, split="test")
    found = {}
    for i in range(n_tasks):
        support, query = tasks.sample(i, 1).at(0)
        label, right = support.y.argmax(1), query.y.argmax(1)
        shown = label < n_way
        names = [f"{k:02d}" for k in label[shown].tolist()]
        few = Classifier(learner, Images(), ClassDataset.from_labels(support.x[shown], names), told)
        known = right < n_way
        p = few.predict_proba(query.x[known])
        own = right[known].tolist()
        said = list(few.answer(query.x, coverage=COVERAGE, false_alarms=FALSE_ALARMS))
        sets = [said[i].members for i in known.nonzero().flatten().tolist()]
        strange = np.array([one.none for one in said])
        by_calibration = told.members(torch.from_numpy(p), COVERAGE).numpy()
        with torch.no_grad():
            told_strange = told.strangers(learner.adapt(few.support)(query.x).double(), FALSE_ALARMS).numpy()
        for name, value in {
            "coverage": np.mean([f"{k:02d}" in labels for k, labels in zip(own, sets, strict=True)]),
            "set_size": np.mean([len(labels) for labels in sets]),
            "false_alarms": strange[known].mean(),
            "strangers_found": strange[~known].mean(),
            "coverage_by_calibration": by_calibration[np.arange(len(own)), own].mean(),
            "false_alarms_by_calibration": told_strange[known].mean(),
        }.items():
            found.setdefault(name, []).append(float(value))
    return {"n_way": n_way, "n_shot": n_shot, "n_tasks": n_tasks} | {k: interval(v) for k, v in found.items()}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-root", type=Path, help="of Omniglot")
    parser.add_argument("--n-tasks", type=int, default=1000)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    learner, told = load(NAME), ModelFolder(NAME).entry("confidence", Confidence)
    record = {"model": NAME, "coverage_asked": COVERAGE, "false_alarms_asked": FALSE_ALARMS}
    for name in ("omniglot", "glyphs", "digits"):
        data = source(name, data_root=args.data_root if name == "omniglot" else None).load().splits.test
        cells = [cell for cell in CELLS if cell[0] < data.n_classes]
        record[name] = [kept(learner, told, data, *cell, args.n_tasks) for cell in cells]
        print(name, json.dumps(record[name]), flush=True)
    if args.json:
        args.json.parent.mkdir(parents=True, exist_ok=True)
        args.json.write_text(json.dumps(record | provenance(), indent=2) + "\n")


if __name__ == "__main__":
    main()
