import json

import numpy as np
import pytest

from quickstudy.classifier import Classifier
from quickstudy.learners import LEARNERS
from quickstudy.model import FORMAT
from quickstudy.seal import broken
from tests.golden import folders, inputs


def test_every_algorithm_has_one_of_this_format():
    assert {folder.name for folder in folders() if folder.parent.name == f"format-{FORMAT}"} == set(LEARNERS)


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_classifier_of_an_earlier_version_answers_as_it_did(folder):
    then = np.array(json.loads((folder / "answers.json").read_text()))
    classifier = Classifier.load(folder)
    assert classifier.labels == ("grün", "red", "ultramarine")
    np.testing.assert_allclose(classifier.predict_proba(inputs(4, 2.0)), then, rtol=0, atol=1e-4)
    assert classifier.predict(inputs(4, 2.0)) == [classifier.labels[i] for i in then.argmax(1)]
    assert list(broken(folder)) == []
