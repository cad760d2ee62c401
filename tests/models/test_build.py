import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from quickstudy.errors import ModelError, SettingError
from quickstudy.io.tensors import pack
from quickstudy.learners import (
    ANIL,
    IMAML,
    LEARNERS,
    LRD2,
    MAML,
    R2D2,
    Baseline,
    CosineBaseline,
    InContext,
    Learner,
    MAMLPlusPlus,
    Matching,
    MetaSGD,
    NearestPixels,
    ProtoMAML,
    Prototypical,
    Relation,
    Reptile,
    Siamese,
    SimpleShot,
)
from quickstudy.models.build import FORMAT, build, describe, load, read_config, save
from quickstudy.nets import MLP, NETS, Conv4, Conv4Maps, Identity, Residual, ResNet6, ResNet12
from quickstudy.tasks.task import Examples, Task
from quickstudy.testing import noise_tasks

MADE: dict[str, Callable[[], Learner]] = {
    "maml": lambda: MAML(Conv4(size=16, width=4), 3, inner_lr=0.4, first_order=True, transductive=True),
    "maml, regression": lambda: MAML(MLP(2, (4, 4), "tanh"), 2, inner_lr=0.01, test_steps=3, loss="mse"),
    "reptile": lambda: Reptile(MLP(2, (4,)), 3, inner_batch=None, inner_rule="sgd", test_steps=None),
    "anil": lambda: ANIL(Conv4(size=16, width=4), 3, inner_steps=2, test_steps=3, learned_head=True),
    "meta-sgd": lambda: MetaSGD(MLP(2, (4,)), 3, inner_lr=0.2, transductive=True),
    "maml++": lambda: MAMLPlusPlus(Conv4(size=16, width=4), 3, inner_lr=0.2, inner_steps=2),
    "maml++, one step": lambda: MAMLPlusPlus(Conv4(size=16, width=4), 3, inner_steps=1),
    "imaml": lambda: IMAML(MLP(2, (4,)), 3, inner_steps=2, penalty=3.0, cg_steps=2),
    "proto-maml": lambda: ProtoMAML(Conv4(size=16, width=4), 3, inner_steps=2, first_order=True),
    "siamese": lambda: Siamese(Conv4(3, 16, 4, pool=False)),
    "matching": lambda: Matching(MLP(2, (4,)), full_context=True, attention_steps=2),
    "prototypical": lambda: Prototypical(Conv4(size=16, width=4)),
    "prototypical, residual net": lambda: Prototypical(ResNet12(1, 16, 2, drop=0.2)),
    "prototypical, small residual net": lambda: Prototypical(ResNet6(1, 16, 2, out_features=8)),
    "prototypical, vectors": lambda: Prototypical(Identity(4)),
    "prototypical, vectors adapted": lambda: Prototypical(Residual(4)),
    "relation": lambda: Relation(Conv4(size=16, width=4)),
    "relation of maps": lambda: Relation(Conv4Maps(size=16, width=4)),
    "r2d2": lambda: R2D2(MLP(2, (4,)), transductive=True),
    "r2d2, regression": lambda: R2D2(MLP(2, (4,)), loss="mse"),
    "lrd2": lambda: LRD2(MLP(2, (4,)), inner_steps=3),
    "in-context": lambda: InContext(MLP(2, (4,)), layers=1, token_width=8),
    "baseline": lambda: Baseline(MLP(2, (4,)), 7, head_lr=0.2, head_steps=3),
    "cosine-baseline": lambda: CosineBaseline(MLP(2, (4,)), 7, head_lr=0.2, head_steps=3),
    "simple-shot": lambda: SimpleShot(Conv4(size=16, width=4), 7),
    "nearest-pixels": lambda: NearestPixels(3, 4),
}


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


def test_every_algorithm_and_net_is_saved_above():
    made = [make() for make in MADE.values()]
    assert {type(learner) for learner in made} == set(LEARNERS.values())
    assert {type(learner.net) for learner in made if hasattr(learner, "net")} == set(NETS.values())


def test_loading_leaves_the_global_random_state_alone(folder):
    before = torch.get_rng_state()
    load(folder)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize("name", MADE)
def test_a_description_is_plain_data_that_names_every_argument(name):
    config = describe(MADE[name]())
    assert json.loads(json.dumps(config)) == config
    assert describe(build(config)) == config


def test_saving_leaves_two_files_and_the_learner_as_it_was(folder):
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    learner, _ = trained()
    learner.train()
    save(learner, folder)
    assert learner.training
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]


def test_more_entries_are_kept(folder):
    save(trained()[0], folder, images={"size": 16})
    assert read_config(folder)["images"] == {"size": 16}
    assert read_config(folder)["format"] == FORMAT


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
    assert f"format {FORMAT + 1}, this version reads {FORMAT}; upgrade" in refusal(folder)


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


def test_a_class_that_is_not_registered_cannot_be_described():
    class Mine(Prototypical):
        pass

    with pytest.raises(ModelError, match=r"Mine is not registered; add it by quickstudy\.LEARNERS\.register"):
        describe(Mine(MLP(2, (4,))))


def test_ones_own_class_is_saved_once_registered(tmp_path):
    class Mine(Prototypical):
        pass

    LEARNERS.register("mine", Mine)
    save(Mine(MLP(2, (4,))), tmp_path)
    assert isinstance(load(tmp_path), Mine)


def test_a_class_that_does_not_keep_its_arguments_is_refused():
    class Forgetful(Prototypical):
        def __init__(self, net, *, temperature=1.0):
            super().__init__(net)

    LEARNERS.register("forgetful", Forgetful)
    with pytest.raises(SettingError, match="Forgetful has no attribute 'temperature', an argument of its __init__"):
        describe(Forgetful(MLP(2, (4,))))


def test_a_net_of_ones_own_is_saved_once_registered(tmp_path):
    class Mine(MLP):
        pass

    NETS.register("mine", Mine)
    save(Prototypical(Mine(2, (4,))), tmp_path)
    assert isinstance(load(tmp_path).net, Mine)


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
