"""Loading of models by folder or name."""

from __future__ import annotations

from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.learners import Learner
from quickstudy.models.folder import ModelFolder


def load(model: Path | str) -> Learner | Classifier:
    """Load a classifier or a learner, ready to predict, from a folder or by the name of a model of quickstudy.

    Args:
        model: Folder of a classifier, a run or a learner, or the name of a model that comes with quickstudy.

    Raises:
        ModelError: A file is missing, damaged, a link, too large, of a later format, or does not fit the others.

    >>> type(load("glyphs-proto")).__name__
    'Prototypical'
    """
    folder = ModelFolder(model)
    return folder.learner if folder.labels is None else Classifier.load(folder)
