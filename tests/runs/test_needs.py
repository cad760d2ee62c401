"""A setting that has no effect beside the others is refused in one line, where it was given and nowhere else."""

import re
from pathlib import Path

import pytest

from quickstudy.errors import SettingError
from quickstudy.runs.settings import FIELDS, complete, load_settings

IDLE = {
    "inputs": ("photos", {"data": "text"}, {"data": "folders"}),
    "encoder": ("minilm", {"data": "glyphs"}, {"data": "text"}),
    "split": ("small1", {}, {"data": "omniglot"}),
    "rotations": ("classes", {"data": "text"}, {"data": "omniglot"}),
    "within_alphabets": (True, {}, {"data": "omniglot"}),
    "warp": (True, {"data": "table"}, {"data": "glyphs"}),
    "augment": (True, {"data": "folders"}, {"data": "folders", "channels": 3}),
    "glyph_classes": (5, {"data": "digits"}, {"data": "omniglot"}),
    "init": (Path("glyphs-proto"), {"algorithm": "nearest-pixels"}, {}),
    "image_size": (28, {"data": "mini-imagenet"}, {"data": "folders"}),
    "channels": (3, {}, {"data": "folders"}),
    "ink": (False, {}, {"data": "folders"}),
    "n_way": (3, {"algorithm": "maml", "data": "sinusoid"}, {}),
    "train_way": (3, {"algorithm": "baseline"}, {}),
    "train_shot": (3, {"algorithm": "simple-shot"}, {"algorithm": "maml", "data": "sinusoid"}),
    "train_query": (3, {"algorithm": "reptile"}, {}),
    "net": ("conv4", {"algorithm": "nearest-pixels"}, {}),
    "width": (8, {"data": "text"}, {"data": "table"}),
    "pool": (True, {"net": "resnet12"}, {"net": "conv4"}),
    "learned_head": (True, {"algorithm": "maml", "data": "sinusoid"}, {"algorithm": "maml"}),
    "attention_steps": (3, {"algorithm": "matching"}, {"algorithm": "matching", "full_context": True}),
    "transductive": (True, {"data": "text"}, {}),
    "batch_size": (16, {"algorithm": "maml"}, {"algorithm": "baseline"}),
    "text_column": ("sentence", {"data": "table"}, {"data": "text"}),
    "label_column": ("kind", {}, {"data": "text"}),
    "encoding": ("cp1252", {}, {"data": "table"}),
    "halve_every": (5, {"schedule": "cosine"}, {"schedule": "halving"}),
    "momentum": (0.9, {"optimizer": "adam"}, {"optimizer": "sgd"}),
    "worker_timeout": (5, {}, {"workers": 2}),
}
"""A value of each setting that has a need, where it has no effect, and where it has."""


def test_each_need_is_tried():
    assert set(IDLE) == {name for name, each in FIELDS.items() if each.metadata["needs"]}


@pytest.mark.parametrize("name", IDLE)
def test_a_setting_without_effect_is_refused_where_it_is_given(name):
    value, without, beside = IDLE[name]
    with pytest.raises(SettingError) as caught:
        load_settings(environment={}, flags={**without, name: value})
    said = str(caught.value)
    assert re.fullmatch(rf"the command line: {name} = .* has no effect with .*: it needs .*; leave it out or .*", said)
    assert "\n" not in said
    assert getattr(load_settings(environment={}, flags={**beside, name: value}), name) == value
    assert complete({**without, name: value})  # as of a stored run


@pytest.mark.parametrize("data", ["cifar-fs", "fc100", "mini-imagenet", "tiered-imagenet", "cub", "meta-album"])
def test_sources_of_photographs_are_in_colour(data):
    assert load_settings(environment={}, flags={"data": data, "augment": True}).augment


@pytest.mark.parametrize("data", ["glyphs", "omniglot", "digits", "text", "table"])
def test_drawings_and_other_data_are_not_in_colour(data):
    with pytest.raises(SettingError, match=r"augment = True has no effect .*: it needs .* in colour"):
        load_settings(environment={}, flags={"data": data, "augment": True})


def test_the_need_is_named_with_what_to_do(tmp_path):
    (tmp_path / "run.toml").write_text("halve_every = 5")
    with pytest.raises(SettingError) as caught:
        load_settings(tmp_path / "run.toml", {})
    assert str(caught.value) == (
        f"{tmp_path / 'run.toml'}: halve_every = 5 has no effect with schedule = cosine: "
        f"it needs schedule = halving; leave it out or change schedule"
    )


def test_a_stored_run_is_completed_again_with_every_field_set():
    stored = complete({"halve_every": 5, "image_size": 84}).model_dump(mode="json")
    settings = complete({**stored, "threads": 2}, {"threads": "the command line"})
    assert (settings.halve_every, settings.threads) == (5, 2)


def test_what_is_off_is_never_refused():
    off = {"warp": False, "rotations": "none", "within_alphabets": False, "data": "text"}
    assert load_settings(environment={}, flags=off).warp is False


def test_a_worker_of_another_launcher_takes_a_timeout(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert load_settings(environment={}, flags={"worker_timeout": 5}).worker_timeout == 5


ROOT = Path(__file__).parents[2]
COMMANDS = [
    command
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
    for command in re.findall(
        r"^(?:.*--module )?quickstudy train (--.*)$", page.read_text("utf-8").replace("\\\n", " "), re.MULTILINE
    )
    if "--config" not in command  # of a file that the page makes before
]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_training_of_the_pages_has_only_settings_with_an_effect(command, cli):
    if "--resume" in command:
        return
    code, _, err = cli("train", *command.partition("#")[0].split(), "--print-settings")
    assert (code, err) == (0, "")


def test_there_are_trainings_on_the_pages():
    assert len(COMMANDS) >= 10
