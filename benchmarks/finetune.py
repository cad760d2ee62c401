"""Fine-tuning on each task (`Finetune`) beside the frozen net, on the same tasks.

omniglot: the net that comes with quickstudy, on Omniglot's evaluation alphabets. cifar-fs: a small net that is trained
here by Prototypical Networks. photos: EfficientNet-Lite0 as trained on ImageNet, on a folder of photographs.

python benchmarks/finetune.py {omniglot,cifar-fs,photos} --data-root DIR --n-shot 5 [--part norm] [--json FILE]
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy import ClassDataset, Conv4, Encoder, Episodes, Prototypical, train
from quickstudy.inputs.decode import decoded, upright
from quickstudy.inputs.efficientnet import efficientnet
from quickstudy.inputs.photos import Photos
from quickstudy.io.files import replace
from quickstudy.learners import Finetune
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import LowRank
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.cifar100 import cifar_fs
from quickstudy.tasks.omniglot import omniglot

SIZE, GAIN, TRAINING, WIDTH = 128, 10**0.5, 800, 32


class Photographed(nn.Module):
    """EfficientNet-Lite0's features of images from 0 to 1, of length ``GAIN``: a softmax of distances can learn."""

    def __init__(self) -> None:
        super().__init__()
        self.net = efficientnet()

    def forward(self, x: Tensor) -> Tensor:
        maps = self.net.extract_features((255 * x - 127) / 128)
        return GAIN * F.normalize(maps.mean((2, 3)))


def photographs(folder: Path) -> ClassDataset:
    """Return the centres of photographs, 128 pixels a side, as uint8."""
    data = Photos.labelled(folder)

    def centre(image: Image.Image) -> np.ndarray:
        image = upright(image, "RGB")
        side = min(image.size)
        left, top = (image.width - side) / 2, (image.height - side) / 2
        box = left, top, left + side, top + side
        return np.asarray(image.resize((SIZE, SIZE), Image.Resampling.BICUBIC, box)).transpose(2, 0, 1)

    x = np.stack([decoded(item, centre, SIZE) for item, _ in data])
    return ClassDataset.from_labels(x, [label for _, label in data])


def prepared(name: str, root: Path) -> tuple[nn.Module, ClassDataset, str]:
    """Return a net, test classes, and what the net is."""
    if name == "omniglot":
        learner = ModelFolder("glyphs-proto").learner
        return learner.net, omniglot(root).test, "glyphs-proto: conv4-64, trained on invented characters"
    if name == "photos":
        net = Encoder(Photographed(), (3, SIZE, SIZE), frozen=False)
        return net, photographs(root), f"EfficientNet-Lite0 of ImageNet, {SIZE} x {SIZE} pixels"
    splits = cifar_fs(root)
    torch.manual_seed(0)
    learner = Prototypical(Conv4(3, 32, WIDTH))
    train(learner, Episodes(splits.train, 20, 5, 5), steps=TRAINING)
    return learner.net, splits.test, f"conv4-{WIDTH}, Prototypical Networks, {TRAINING} tasks of 20 classes"


def interval(values: list[float]) -> dict[str, float]:
    return {"mean": float(np.mean(values)), "ci95": float(1.96 * np.std(values, ddof=1) / len(values) ** 0.5)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", choices=("omniglot", "cifar-fs", "photos"))
    parser.add_argument("--data-root", type=Path, required=True)
    parser.add_argument("--n-shot", type=int, default=5)
    parser.add_argument("--n-tasks", type=int, default=200)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--part", action="append", help='"all", "norm" or "low-rank"; several if repeated')
    parser.add_argument("--one-shot-rate", type=float, default=0.0)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    torch.set_num_threads(1)
    net, data, about = prepared(given.data, given.data_root)
    frozen = Prototypical(net).eval()
    parts = given.part or ["all", "norm", "low-rank"]
    rates = {"test_steps": given.steps, "one_shot_rate": given.one_shot_rate}
    torch.manual_seed(0)
    learners = {
        part: (
            Finetune(LowRank(copy.deepcopy(net)), adapt_only="low_rank.*", **rates)
            if part == "low-rank"
            else Finetune(net, adapt_only=part, **rates)
        ).eval()
        for part in parts
    }
    tasks = Episodes(data, 5, given.n_shot, 15, split="test")
    right: dict[str, list[float]] = {"frozen": []} | {part: [] for part in parts}
    chosen: dict[str, Counter[float]] = {part: Counter() for part in parts}
    seconds = dict.fromkeys(right, 0.0)
    for i in range(given.n_tasks):
        support, query = tasks.sample(i, 1).at(0)
        for name, learner in {"frozen": frozen, **learners}.items():
            begun = time.process_time()
            with torch.no_grad():
                predict = learner.adapt(support)
                right[name].append(float((predict(query.x).argmax(1) == query.y.argmax(1)).double().mean()))
            seconds[name] += time.process_time() - begun
            if name != "frozen":
                chosen[name][round(float(predict.rate), 6)] += 1
        if (i + 1) % 10 == 0:
            record = summary(given, about, right, chosen, seconds)
            if given.json:
                replace(given.json, (json.dumps(record, indent=1) + "\n").encode())
            print(json.dumps(record), flush=True)


def summary(given: Any, about: str, right: Any, chosen: Any, seconds: Any) -> dict[str, Any]:
    n = len(right["frozen"])
    return {
        "data": given.data,
        "net": about,
        "n_way": 5,
        "n_shot": given.n_shot,
        "n_query": 15,
        "n_tasks": n,
        "steps": given.steps,
        "one_shot_rate": given.one_shot_rate,
        "seed": 0,
        "transductive": False,
        "accuracy": {name: interval(values) for name, values in right.items()},
        "minus_frozen": {
            name: interval([a - b for a, b in zip(right[name], right["frozen"], strict=True)]) for name in chosen
        },
        "rates": {
            name: {str(rate): count for rate, count in sorted(counts.items())} for name, counts in chosen.items()
        },
        "seconds_per_task": {name: total / n for name, total in seconds.items()},
        **provenance(),
    }


if __name__ == "__main__":
    main()
