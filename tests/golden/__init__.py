"""Classifiers that an earlier version wrote, with what they answered then: every later version answers the same.

``python -m tests.golden`` writes those that are missing, when the format changes or an algorithm is new; others stay.
"""

import json
from pathlib import Path

import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.learners import LEARNERS, Learner, NearestPixels
from quickstudy.learners.gradient import GradientLearner
from quickstudy.models.build import FORMAT
from quickstudy.models.seal import seal
from quickstudy.nets import Conv4

HERE = Path(__file__).parent


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
        data = ClassDataset.from_labels(inputs(5, 1.0), ["grün", "grün", "red", "red", "ultramarine"])
        classifier = Classifier(learner, data, Images(size=16))
        folder = HERE / f"format-{FORMAT}" / name
        if folder.exists():
            continue
        classifier.save(folder)
        seal(folder)
        (folder / "answers.json").write_text(json.dumps(classifier.predict_proba(inputs(4, 2.0)).tolist()) + "\n")
