import json

import numpy as np
import pytest
import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.inputs.images import Images
from quickstudy.learners import LEARNERS
from quickstudy.models.folder import FORMAT, TOLERANCE, ModelFolder
from quickstudy.models.seal import answers, probe_of
from tests.golden import NAMES, folders, inputs, plain


def test_this_format_is_kept():
    """An algorithm that came later than its format may have none."""
    kept = {folder.name for folder in folders() if folder.parent.name == f"format-{FORMAT}"}
    assert {"maml", "reptile", "siamese", "matching", "prototypical", "baseline"} <= kept <= set(LEARNERS)


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_classifier_of_an_earlier_version_answers_as_it_did(folder):
    then = np.array(json.loads((folder / "answers.json").read_text()))
    classifier = Classifier.load(folder)
    assert classifier.labels == ("grün", "red", "ultramarine")
    np.testing.assert_allclose(plain(classifier), then, rtol=0, atol=1e-4)
    assert classifier.predict(inputs(4, 2.0)) == [classifier.labels[i] for i in then.argmax(1)]
    assert classifier.inputs == Images(size=16)
    assert list(ModelFolder(folder).faults()) == []


def test_the_first_format_is_kept_too():
    kept = {folder.name for folder in folders() if folder.parent.name == "format-1"}
    assert {"maml", "reptile", "siamese", "matching", "prototypical", "baseline"} == kept


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_its_examples_are_those_it_learned_from(folder):
    """Format 1 kept no names; what it kept of the examples is shown all the same."""
    classifier = Classifier.load(folder)
    names = [f"example {i}" for i in range(1, 6)] if folder.parent.name == "format-1" else list(NAMES)
    assert [item.name for item in classifier.items] == names
    assert torch.equal(classifier.data.x, inputs(5, 1.0))
    assert torch.equal(classifier.inputs.encode(classifier.items[:0]), inputs(0, 1.0))
    for item in classifier.items:
        assert classifier.inputs.picture(item).startswith(b"\x89PNG")


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_written_again_it_is_of_this_format_and_answers_bit_for_bit(folder, tmp_path):
    classifier = Classifier.load(folder)
    classifier.save(tmp_path)
    again = Classifier.load(tmp_path)
    assert ModelFolder(tmp_path).config["format"] == FORMAT
    assert np.array_equal(again.predict_proba(inputs(4, 2.0)), classifier.predict_proba(inputs(4, 2.0)))
    assert [item.name for item in again.items] == [item.name for item in classifier.items]


@pytest.mark.parametrize("folder", folders(), ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_a_probe_does_not_hang_on_the_last_bits_of_its_inputs(folder):
    """Machines differ in them, and a model that was moved is not damaged."""
    learner, draw = ModelFolder(folder).learner, torch.Generator().manual_seed(0)
    probe = probe_of(learner)

    def nudged(x: torch.Tensor) -> torch.Tensor:
        return x * (1 + 1e-7 * torch.randn(x.shape, generator=draw).to(x))

    moved = answers(learner, {name: nudged(x) if name.endswith(".x") else x for name, x in probe.items()})
    assert (moved - probe["answers"]).abs().max() <= TOLERANCE * probe["answers"].abs().max()
