"""A sealed model is as it was written, byte by byte and answer by answer, or a fault is named."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from quickstudy.classify.load import load
from quickstudy.errors import ModelError
from quickstudy.io.tensors import pack
from quickstudy.learners import LEARNERS, Learner, NearestPixels, Prototypical
from quickstudy.models.folder import ModelFolder, save
from quickstudy.nets import MLP
from tests.each import each_learner


def fresh(name: str = "prototypical") -> Learner:
    torch.manual_seed(0)
    cls, net = LEARNERS[name], MLP(3, (4,))
    if cls is NearestPixels:
        return cls(1, 2)
    return cls(net) if cls.episodic else cls(net, 5)


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    save(fresh(), tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", each_learner())
def test_what_was_sealed_is_whole(tmp_path, name):
    save(fresh(name), tmp_path)
    assert list(ModelFolder(tmp_path).faults()) == []
    assert set(load_file(tmp_path / "probe.safetensors")) == {"support.x", "support.y", "query.x", "answers"}


def test_what_was_moved_is_whole(sealed, tmp_path_factory):
    there = tmp_path_factory.mktemp("there") / "model"
    shutil.copytree(sealed, there)
    assert list(ModelFolder(there).faults()) == []


def test_changed_settings_break_it(sealed):
    path = sealed / "config.json"
    path.write_text(path.read_text() + "\n")
    (fault,) = ModelFolder(sealed).faults()
    assert fault == f"{path} is not as it was written: its SHA-256 differs"


def test_other_weights_break_it_twice(sealed):
    other = {name: tensor + 1 for name, tensor in fresh().state_dict().items()}
    (sealed / "model.safetensors").write_bytes(pack(other))
    file, answers = ModelFolder(sealed).faults()
    assert "model.safetensors is not as it was written" in file
    assert "answers its stored inputs differently than when it was written" in answers


def test_another_algorithm_breaks_it_by_its_answers(sealed, monkeypatch):
    """A later version that computes something else is found, though no byte has changed."""
    monkeypatch.setattr(Prototypical, "comparison", lambda self, support: lambda query: query @ torch.ones(4, 5))
    (fault,) = ModelFolder(sealed).faults()
    assert "answers its stored inputs differently" in fault


def test_a_flipped_bit_is_no_model_at_all(sealed):
    content = bytearray((sealed / "model.safetensors").read_bytes())
    content[-1] ^= 1
    (sealed / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match="its SHA-256 differs"):
        load(sealed)


@pytest.mark.parametrize("content", [None, "", "[]", "3", '{"config.json": 3}', '{"../config.json": "a"}'])
def test_a_seal_that_is_none(sealed, content):
    (sealed / "seal.json").unlink()
    if content is not None:
        (sealed / "seal.json").write_text(content)
    try:
        faults = list(ModelFolder(sealed).faults())
    except ModelError as error:
        faults = [str(error)]
    assert faults
    assert "\n" not in faults[0]


def test_a_net_of_unknown_input_is_sealed_without_answers(tmp_path, monkeypatch):
    monkeypatch.setattr("quickstudy.models.seal.input_shape", lambda net: None)
    save(fresh(), tmp_path)
    assert "probe.safetensors" not in json.loads((tmp_path / "seal.json").read_text())
    assert list(ModelFolder(tmp_path).faults()) == []
