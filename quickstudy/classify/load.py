"""Models by folder or name."""

from __future__ import annotations

from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.learners import Learner
from quickstudy.models.folder import ModelFolder


def load(model: Path | str) -> Learner | Classifier:
    """Return the classifier, or the learner, in a folder or of a name that comes with quickstudy, ready to predict.

    Raises:
        ModelError: A file is missing, damaged, a link, absurdly large, of a later format, or does not fit the others.

    >>> type(load("glyphs-proto")).__name__
    'Prototypical'
    """
    folder = ModelFolder(model)
    return folder.learner if folder.labels is None else Classifier.load(folder)
