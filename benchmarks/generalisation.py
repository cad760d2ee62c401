"""Kinds of images that were never seen: learners trained on one kind, and tested on classes of all.

python -m benchmarks.generalisation --omniglot DIR --cifar DIR --photos DIR maml reptile siamese matching prototypical

All images are 32x32 in colour: drawings are light ink on black, with a margin of two pixels. Omniglot's background
alphabets (rotations as classes), glyphs, the digits 0 to 4 (rotations as classes) and CIFAR-FS are trained on;
photographs, 40 categories of Caltech-101, are too few for that. Recipe, outer rate and test steps are those of the
leaderboard, the budget half of its. A learner whose record is there is left alone.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch.nn import functional as F

from benchmarks.leaderboard import REFERENCE, accuracy, arguments, settings_of, step_seconds, train
from quickstudy.classify.load import load
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.io.files import replace
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs
from quickstudy.tasks.folders import read_folder
from quickstudy.tasks.sources import source
from quickstudy.tasks.splits import Splits
from quickstudy.training.process import keep_memory

TRAINED_ON = ("omniglot", "glyphs", "digits", "cifar-fs")
DOMAINS = (*TRAINED_ON, "photographs")
SHOTS = (1, 5)


def coloured(drawings: ClassDataset) -> ClassDataset:
    """Return drawings of 28x28 as images of 32x32 in colour."""
    x = F.pad(drawings.x, (2, 2, 2, 2)).expand(-1, 3, -1, -1)
    return ClassDataset(x.contiguous(), drawings.y, drawings.names)


def domains(omniglot: Path, cifar: Path, photos: Path) -> dict[str, Splits]:
    """Return the classes of each kind of images; of photographs, all are tested."""
    made = {}
    for name, root in (("omniglot", omniglot), ("glyphs", None), ("digits", None)):
        made[name] = Splits(*map(coloured, source(name, data_root=root).load().splits))
    made["cifar-fs"] = cifar_fs(cifar)
    found = read_folder(photos, Images(channels=3, size=32, ink=False))
    made["photographs"] = Splits(found.select([]), found.select([]), found)
    return made


def halves(digits: Splits) -> Splits:
    """Return the digits 0 to 4 to train on, and 5 to 9 to test on; none are left to validate on."""
    return Splits(digits.test.select(range(5)), digits.test.select([]), digits.test.select(range(5, 10)))


def main() -> None:
    parser = arguments(__doc__, "generalisation", minutes=5)
    for name in ("omniglot", "cifar", "photos"):
        parser.add_argument(f"--{name}", type=Path, required=True, help=f"folder of {name}")
    parser.add_argument("--train-on", choices=TRAINED_ON, nargs="+", default=TRAINED_ON)
    parser.add_argument("--n-tasks", type=int, default=300)
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    given.out.mkdir(parents=True, exist_ok=True)
    speed = REFERENCE / step_seconds(settings_of("prototypical", "glyphs", None, given.seed))
    every = domains(given.omniglot, given.cifar, given.photos)
    for name in given.train_on:
        tested = every | ({"digits": halves(every["digits"])} if name == "digits" else {})
        for algorithm in given.algorithms:
            path = given.out / f"{algorithm}-on-{name}.json"
            if path.exists():
                continue
            folder = given.runs / path.stem
            shutil.rmtree(folder, ignore_errors=True)  # of a training that was cut: its time is not known
            root = {"omniglot": given.omniglot, "cifar-fs": given.cifar}.get(name)
            settings = settings_of(algorithm, name, root, given.seed)
            training = train(settings, given.minutes, speed, folder, tested[name])
            learner = load(folder)
            rows: list[dict[str, Any]] = [
                {"data": data, **accuracy(learner, splits.test, 5, k, given.n_tasks, transductive=False)}
                for data, splits in tested.items()
                for k in SHOTS
            ]
            record = {"algorithm": algorithm, "trained_on": name, "minutes": given.minutes, "rows": rows}
            record |= {"training": training, **provenance()}
            replace(path, (json.dumps(record, indent=1) + "\n").encode())
            print(path.stem, *(f"{row['data']} {100 * row['mean']:.1f}" for row in rows), flush=True)


if __name__ == "__main__":
    main()
