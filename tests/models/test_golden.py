import json

import numpy as np
import pytest

from quickstudy.classify.classifier import Classifier
from quickstudy.learners import LEARNERS
from quickstudy.models.build import FORMAT
from quickstudy.models.seal import broken
from tests.golden import folders, inputs


def test_this_format_is_kept():
    """An algorithm that came later than its format may have none."""
    kept = {folder.name for folder in folders() if folder.parent.name == f"format-{FORMAT}"}
    assert {"maml", "reptile", "siamese", "matching", "prototypical", "baseline"} <= kept <= set(LEARNERS)


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_classifier_of_an_earlier_version_answers_as_it_did(folder):
    then = np.array(json.loads((folder / "answers.json").read_text()))
    classifier = Classifier.load(folder)
    assert classifier.labels == ("grün", "red", "ultramarine")
    np.testing.assert_allclose(classifier.predict_proba(inputs(4, 2.0)), then, rtol=0, atol=1e-4)
    assert classifier.predict(inputs(4, 2.0)) == [classifier.labels[i] for i in then.argmax(1)]
    assert list(broken(folder)) == []
