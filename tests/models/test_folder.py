"""A model's folder: what is saved is loaded bit for bit, and what is damaged is refused in one line."""

import json
import re
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from quickstudy.classify.load import load
from quickstudy.errors import ModelError
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table
from quickstudy.io.tensors import pack
from quickstudy.learners import LEARNERS, MAML, Learner, Prototypical
from quickstudy.models.build import describe
from quickstudy.models.folder import FORMAT, ModelFolder, save
from quickstudy.nets import MLP, NETS, Conv4
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks
from tests.models.made import MADE


def trained(name: str = "prototypical") -> tuple[Learner, Task]:
    """A learner with weights and statistics unlike a fresh one's, in evaluation mode, and a task for it."""
    torch.manual_seed(0)
    learner = MADE[name]()
    task = noise_tasks(learner).at(0)
    task = Task(*(Examples(part.x.float(), part.y.float()) for part in task))
    for p in learner.parameters():
        torch.nn.init.normal_(p, std=0.3)
    learner.observe(task.support.x)
    return learner.eval(), task


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save(trained()[0], tmp_path / "model")
    return tmp_path / "model"


def refusal(folder: Path) -> str:
    with pytest.raises(ModelError) as caught:
        load(folder)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


def change(folder: Path, **entries: object) -> None:
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | entries))


@pytest.mark.parametrize("name", MADE)
def test_a_loaded_learner_predicts_as_the_one_that_was_saved(name, tmp_path):
    learner, task = trained(name)
    save(learner, tmp_path / "a" / "b")
    again = load(tmp_path / "a" / "b")
    assert not again.training
    assert type(again) is type(learner)
    assert describe(again) == describe(learner)
    for (key, a), (other, b) in zip(learner.state_dict().items(), again.state_dict().items(), strict=True):
        assert key == other
        assert torch.equal(a, b)
    assert torch.equal(learner.adapt(task.support)(task.query.x), again.adapt(task.support)(task.query.x))


def test_loading_leaves_the_global_random_state_alone(folder):
    before = torch.get_rng_state()
    load(folder)
    assert torch.equal(before, torch.get_rng_state())


FILES = ["config.json", "model.safetensors", "probe.safetensors", "seal.json"]


def test_saving_leaves_the_learner_as_it_was_and_seals_every_file(folder):
    assert sorted(path.name for path in folder.iterdir()) == FILES
    learner, _ = trained()
    learner.train()
    save(learner, folder)
    assert learner.training
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert list(ModelFolder(folder).faults()) == []
    assert sorted(json.loads((folder / "seal.json").read_text())) == FILES[:3]


def test_inputs_and_more_entries_are_kept(folder):
    ModelFolder(folder).write(trained()[0], Images(size=16), note=[1, "ü"])
    model = ModelFolder(folder)
    assert model.inputs == Images(size=16)
    assert model.config["inputs"] == {"name": "images", "channels": 1, "size": 16, "ink": True}
    assert (model.config["format"], model.config["note"]) == (FORMAT, [1, "ü"])
    model.amend(note=None)
    assert ModelFolder(folder).config["note"] is None
    assert list(ModelFolder(folder).faults()) == []


def test_a_damaged_model_is_not_amended(folder):
    change(folder, note=1)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(ModelError, match=r"config\.json is not as it was written.*; nothing is written"):
        ModelFolder(folder).amend(note=2)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_settings_are_read_once(folder, monkeypatch):
    opened = []
    real = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *a, **k: (opened.append(self.name), real(self, *a, **k))[1])
    model = ModelFolder(folder)
    _ = model.learner, model.inputs, model.labels, model.config, model.entry("confidence", dict)
    assert opened.count("config.json") == 1


def test_weights_of_a_learner_on_its_way_are_saved_contiguous(tmp_path):
    learner = Prototypical(Conv4(size=16, width=4))  # its convolutions are channels last
    save(learner, tmp_path)
    for name, tensor in load_file(tmp_path / "model.safetensors").items():
        assert torch.equal(tensor, learner.state_dict()[name])


def test_a_missing_folder_or_file_is_named(folder, tmp_path):
    assert "no model" in refusal(tmp_path / "nowhere")
    (folder / "model.safetensors").unlink()
    assert "model.safetensors" in refusal(folder)
    (folder / "config.json").unlink()
    assert "config.json is missing" in refusal(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", "null", '{"learner": 3}', "\xff", "[" * 100_000])
def test_a_config_that_is_none_is_refused(folder, text):
    (folder / "config.json").write_text(text, encoding="latin-1")
    assert "config.json" in refusal(folder)


def test_a_later_format_asks_for_an_upgrade(folder):
    change(folder, format=FORMAT + 1)
    assert f"format {FORMAT + 1}, this version reads 1 to {FORMAT}; upgrade" in refusal(folder)


@pytest.mark.parametrize(
    ("learner", "says"),
    [
        ({"name": "prototypcal"}, "unknown learner 'prototypcal': did you mean 'prototypical'?"),
        ({}, "unknown learner 'None'"),
        ({"name": ["prototypical"]}, "unknown learner"),
        ({"name": "prototypical", "net": {"name": "conv"}}, "unknown net 'conv': did you mean 'conv4'?"),
        ({"name": "prototypical"}, "cannot be built .* 'net'"),
        ({"name": "prototypical", "net": "conv4"}, "cannot be built"),
        ({"name": "prototypical", "net": {"name": "mlp", "hidden": []}}, "cannot be built"),
        ({"name": "prototypical", "net": {"name": "mlp", "hidden": [-1]}}, "cannot be built"),
        ({"name": "prototypical", "net": {"name": "mlp", "hidden": ["a"]}}, "cannot be built"),
        ({"name": "prototypical", "net": {"name": "mlp", "depth": 3}}, "cannot be built .* 'depth'"),
        ({"name": "maml", "net": {"name": "mlp"}, "n_way": "five"}, "cannot be built"),
    ],
)
def test_a_learner_that_cannot_be_built_is_refused_with_what_is_wrong(folder, learner, says):
    change(folder, learner=learner)
    assert re.search(says, refusal(folder))


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize(
    ("mend", "says"),
    [
        (
            lambda t: {**t, "net.norms.0.weight": torch.ones(5)},
            r"'net.norms.0.weight' has shape \[5\], .* \[4\]",
        ),
        (lambda t: {**t, "net.norms.0.weight": torch.ones(4).double()}, "holds F64, .* says F32"),
        (lambda t: {**t, "net.norms.1.bias": torch.full((4,), torch.nan)}, "'net.norms.1.bias' holds NaN"),
        (lambda t: {**t, "net.norms.1.var": torch.full((4,), torch.inf)}, "'net.norms.1.var' holds NaN or infinity"),
        (lambda t: {**t, "extra": torch.ones(1)}, "'extra' is unexpected"),
        (lambda t: {k: v for k, v in t.items() if k != "net.norms.2.mean"}, "'net.norms.2.mean' is missing"),
    ],
)
def test_weights_that_do_not_fit_are_refused_by_name(folder, mend, says):
    (folder / "model.safetensors").write_bytes(pack(mend(tensors(folder))))
    assert re.search(says, refusal(folder))


@pytest.mark.parametrize("kept", [0, 4, 8, 100, -1])
def test_a_truncated_file_is_refused(folder, kept):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    assert "cannot be read" in refusal(folder)


@pytest.mark.parametrize("junk", [b"\x80\x04pickle", b"\0" * 64, struct.pack("<Q", 1 << 40) + b"{}", b"PK\x03\x04"])
def test_a_file_of_another_kind_is_refused(folder, junk):
    (folder / "model.safetensors").write_bytes(junk)
    assert "cannot be read" in refusal(folder)


def test_ones_own_class_is_saved_once_registered(tmp_path):
    class Mine(Prototypical):
        pass

    LEARNERS.register("mine", Mine)
    save(Mine(MLP(2, (4,))), tmp_path)
    assert isinstance(ModelFolder(tmp_path).learner, Mine)


def test_a_net_of_ones_own_is_saved_once_registered(tmp_path):
    class Mine(MLP):
        pass

    NETS.register("mine", Mine)
    save(Prototypical(Mine(2, (4,))), tmp_path)
    assert isinstance(ModelFolder(tmp_path).learner.net, Mine)


def test_a_failed_save_keeps_the_model_that_was_there(folder, monkeypatch):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(trained("matching")[0], folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_weights_that_were_frozen_by_hand_are_so_again(tmp_path):
    learner = MAML(MLP(2, (4, 4)), 2)
    learner.net.layers[0].requires_grad_(False)
    save(learner, tmp_path)
    again = load(tmp_path)
    flags = [[p.requires_grad for p in each.parameters()] for each in (learner, again)]
    assert flags[0] == flags[1] == [False, False, True, True, False, False]
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"frozen": ["model.0.layers.9.weight"]}))
    with pytest.raises(ModelError, match=r"frozen = .* not all are weights"):
        load(tmp_path)


def test_what_the_inner_loop_changes_and_how_is_kept(tmp_path):
    save(MAML(MLP(2, (4,)), 2, adapt_only="head", inner_rule="adamw"), tmp_path)
    again = load(tmp_path)
    assert (again.adapt_only, again.inner_rule) == ("head", "adamw")


OLD = {
    "images": ({"images": {"channels": 3, "size": 20, "ink": False}}, Images(3, 20, ink=False)),
    "sentences": ({"encoder": "all-MiniLM-L6-v2"}, Sentences()),
    "table": ({"table": {"numbers": {"a": [1.0, 2.0]}, "categories": {}}}, Table({"a": [1.0, 2.0]}, {})),
    "none": ({"images": None, "table": None}, None),
}


@pytest.mark.parametrize("kind", OLD)
def test_inputs_of_the_first_format_are_read(folder, kind):
    entries, inputs = OLD[kind]
    config = json.loads((folder / "config.json").read_text())
    del config["inputs"]
    (folder / "config.json").write_text(json.dumps(config | entries | {"format": 1}))
    assert ModelFolder(folder).inputs == inputs


HOSTILE = {
    "a word": "images",
    "a list": ["images"],
    "a number": 3,
    "nothing": {},
    "no name": {"channels": 1},
    "an unknown kind": {"name": "sounds"},
    "a module": {"name": "quickstudy.inputs.images:Images"},
    "a path": {"name": "../../images"},
    "a name that is a list": {"name": ["images"]},
    "a name without end": {"name": "a" * 100_000},
    "another argument": {"name": "images", "loader": "os.system"},
    "an argument of Python's own": {"name": "images", "__class__": "Canary"},
    "a word for a number": {"name": "images", "size": "28"},
    "a truth for a number": {"name": "images", "size": True},
    "pixels without end": {"name": "images", "size": 10**9},
    "no pixels": {"name": "images", "size": 0},
    "four channels": {"name": "images", "channels": 4},
    "an encoder from elsewhere": {"name": "sentences", "encoder": "someone/evil"},
    "an encoder by a path": {"name": "sentences", "encoder": "../../encoder"},
    "a sum that is a number": {"name": "sentences", "sha256": 3},
    "a table that is a list": {"name": "table", "numbers": [], "categories": {}},
    "a table without columns": {"name": "table", "numbers": {}, "categories": {}},
    "half a table": {"name": "table", "numbers": {"a": [1.0, 2.0]}},
    "a deviation of 0": {"name": "table", "numbers": {"a": [1.0, 0.0]}, "categories": {}},
    "a deviation that is no number": {"name": "table", "numbers": {"a": [1.0, float("nan")]}, "categories": {}},
    "a deviation without end": {"name": "table", "numbers": {"a": [1.0, float("inf")]}, "categories": {}},
    "three numbers": {"name": "table", "numbers": {"a": [1.0, 2.0, 3.0]}, "categories": {}},
    "a mean that is a word": {"name": "table", "numbers": {"a": ["1", 2.0]}, "categories": {}},
    "categories that are a word": {"name": "table", "numbers": {}, "categories": {"a": "red"}},
    "categories that are numbers": {"name": "table", "numbers": {}, "categories": {"a": [1, 2]}},
    "a million columns": {"name": "table", "numbers": {str(i): [0.0, 1.0] for i in range(2000)}, "categories": {}},
    "a shape that is a word": {"name": "arrays", "shape": "28"},
    "a shape of fractions": {"name": "arrays", "shape": [1.5]},
    "a shape without end": {"name": "arrays", "shape": [10**12]},
    "a shape below nothing": {"name": "arrays", "shape": [-1]},
    "a shape of many": {"name": "arrays", "shape": [1] * 1000},
}


@pytest.mark.parametrize("what", HOSTILE)
def test_inputs_made_to_harm_are_refused_in_one_line(folder, what):
    change(folder, inputs=HOSTILE[what])
    with pytest.raises(ModelError) as caught:
        _ = ModelFolder(folder).inputs
    said = str(caught.value)
    assert str(folder / "config.json") in said
    assert "\n" not in said
    assert len(said) < 800
