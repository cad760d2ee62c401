"""Classifiers that an earlier version wrote, with what they answered then: every later version answers the same.

``python -m tests.golden`` writes those that are missing, when the format changes or an algorithm is new; others stay.
"""

import json
from pathlib import Path

import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.learners import LEARNERS, Learner, NearestPixels
from quickstudy.learners.gradient import GradientLearner
from quickstudy.models.folder import FORMAT
from quickstudy.nets import Conv4

HERE = Path(__file__).parent
NAMES = ("grün/1.png", "grün/2.png", "red/1.png", "red/zwei.png", "ultramarine/1.png")
"""Of the examples, from format 2 on."""


def inputs(n: int, phase: float) -> torch.Tensor:
    """Pictures (n, 1, 16, 16) from a formula, for a generator of random numbers may change."""
    i = torch.arange(n * 256, dtype=torch.float64)
    return ((i * i * 0.013 + phase).sin() * 127.5 + 127.5).to(torch.uint8).view(n, 1, 16, 16)


def folders() -> list[Path]:
    return sorted(path.parent for path in HERE.glob("*/*/answers.json"))


def write() -> None:
    for name, cls in LEARNERS.items():
        torch.manual_seed(0)
        net = Conv4(size=16, width=2)
        own = {"size": 16} if cls is NearestPixels else {"n_way": 3} if issubclass(cls, GradientLearner) else {}
        learner: Learner = cls(**own) if cls is NearestPixels else cls(net, **own) if cls.episodic else cls(net, 3)
        learner.observe(inputs(20, 0.5) / 255)
        x = inputs(5, 1.0)
        items = [Item(name, one.numpy()) for name, one in zip(NAMES, x, strict=True)]
        data = ClassDataset.from_labels(x, ["grün", "grün", "red", "red", "ultramarine"], items)
        classifier = Classifier(learner, Images(size=16), data)
        folder = HERE / f"format-{FORMAT}" / name
        if folder.exists():
            continue
        classifier.save(folder)
        (folder / "answers.json").write_text(json.dumps(plain(classifier).tolist()) + "\n")


def plain(classifier: Classifier) -> torch.Tensor:
    """Return the answers of a classifier by logits that are not scaled by its examples."""
    logits = torch.from_numpy(classifier.predict_proba(inputs(4, 2.0))).log() * classifier.scale
    return logits.softmax(-1)
