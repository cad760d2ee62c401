"""A recipe file holds the settings of a learner's training; a wrong key is refused with its file and place."""

import tomllib

import pytest

from quickstudy.errors import SettingError
from quickstudy.learners import LEARNERS
from quickstudy.runs.recipes import PLACE, read, recipe_of, recipes
from quickstudy.runs.settings import complete, load_settings

GOOD = """
[preset]
tasks_per_step = 1
[regression]
unset = ["clip"]
[protocols.mine]
title = "Mine"
source = "arXiv:1"
transductive = false
cells = [{ n_way = 5, n_shot = 1, mean = 90, train_query = 3 }]
[protocols.mine.settings]
steps = 7
[protocols.mine.by_way.5]
unset = ["inner_lr"]
"""


def written(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    return tmp_path / "mine.toml"


def test_there_is_a_file_for_each_learner_and_no_other():
    assert {path.stem for path in PLACE.iterdir()} == set(LEARNERS)
    assert all(path.suffix == ".toml" for path in PLACE.iterdir())


def test_what_is_written_is_read(tmp_path):
    recipe = read(written(tmp_path, GOOD))
    assert (recipe.preset, recipe.regression) == ({"tasks_per_step": 1}, {"clip": None})
    protocol = recipe.protocols["mine"]
    assert (protocol.title, protocol.shots_match, protocol.rotated, protocol.first) == ("Mine", True, False, None)
    assert protocol.training(protocol.cells[0]) == {
        "algorithm": "mine",
        "n_way": 5,
        "n_shot": 1,
        "train_query": 3,
        "steps": 7,
        "inner_lr": None,
    }


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[preset]", "[presets]", "mine.toml: preset"),
        ("tasks_per_step", "task_per_step", "preset.task_per_step: unknown setting .*did you mean 'tasks_per_step'"),
        ("steps = 7", "stepz = 7", r"protocols\.mine\.settings\.stepz: unknown setting"),
        ('"inner_lr"', '"inner_rate"', r"protocols\.mine\.by_way\.5\.inner_rate: unknown setting"),
        ('"clip"', '"klip"', r"regression\.klip: unknown setting"),
        ("title", "name", r"protocols\.mine\.title"),
        ("mean = 90", "mean = 90, median = 3", r"protocols\.mine\.cells\.0\.median"),
        ("mean = 90", 'mean = "high"', r"protocols\.mine\.cells\.0\.mean"),
        ("by_way.5", "by_way.five", r"protocols\.mine\.by_way\.five"),
        ("unset = [", "unset = {a = [", "is not a recipe in TOML"),
    ],
)
def test_a_wrong_key_is_refused_with_file_and_key(tmp_path, old, new, says):
    file = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(SettingError, match=says) as caught:
        read(file)
    assert str(file) in str(caught.value)


def test_some_values():
    assert dict(recipe_of("reptile").preset) == {
        "train_shot": 10,
        "train_query": 0,
        "tasks_per_step": 5,
        "pool": False,
        "optimizer": "sgd",
        "outer_lr": 1.0,
        "schedule": "linear",
    }
    assert recipe_of("maml").regression["clip"] is None
    assert recipe_of("baseline").preset["batch_size"] == 128
    assert recipe_of("prototypical").regression is None
    first = recipe_of("prototypical").protocols["resnet-prototypical-omniglot"].first
    assert (first["algorithm"], first["head_steps"], first["outer_lr"]) == ("cosine-baseline", 0, 0.002)
    assert len([key for recipe in recipes().values() for key in recipe.protocols]) == 25


@pytest.mark.parametrize("name", LEARNERS)
def test_every_recipe_is_valid_and_has_no_setting_without_effect(name):
    recipe = recipe_of(name)
    given = [{"algorithm": name, **recipe.preset}]
    if recipe.regression is not None:
        given.append({"algorithm": name, "data": "sinusoid", **recipe.regression})
    for protocol in recipe.protocols.values():
        given += [protocol.training(cell) for cell in protocol.cells]
        given += [] if protocol.first is None else [dict(protocol.first)]
    for each in given:
        assert load_settings(environment={}, flags=each) == complete(each)


def test_help_reads_no_recipe(cli, monkeypatch):
    monkeypatch.setattr(tomllib, "loads", None)
    assert cli("train", "--help").code == 0


def test_the_penalty_of_r2d2_is_the_authors_for_classes_alone():
    assert complete({"algorithm": "r2d2"}).arguments == {"mean_loss": True}
    assert complete({"algorithm": "r2d2", "data": "sinusoid"}).arguments is None


def test_an_extended_learner_gets_the_arguments_that_it_takes(monkeypatch):
    class Plain(LEARNERS["r2d2"]):
        def __init__(self, net):
            super().__init__(net)

    class Wider(LEARNERS["r2d2"]):
        def __init__(self, net, *, mean_loss=False, width=3):
            super().__init__(net, mean_loss=mean_loss)
            self.width = width

    monkeypatch.setattr(LEARNERS, "_own", dict(LEARNERS._own))
    for name, cls, taken in (("plain", Plain, {}), ("wider", Wider, {"mean_loss": True})):
        LEARNERS.register(name, cls)
        assert recipe_of(name).preset["arguments"] == taken
