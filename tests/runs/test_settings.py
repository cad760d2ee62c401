"""A setting is what was said last of file, environment and flag; a wrong one is refused in a line that says where."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quickstudy.errors import SettingError
from quickstudy.learners import LEARNERS, MAML, Learner
from quickstudy.nets import NETS, Conv4
from quickstudy.runs.recipes import recipes
from quickstudy.runs.settings import FIELDS, HYPERPARAMETERS, choices, complete, load_settings

RECIPES = recipes()
REGRESSION = {name for name, recipe in RECIPES.items() if recipe.regression is not None}
ORDINARY = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
STEPS = st.none() | st.integers(1, 10**9)


def written(tmp_path: Path, text: str) -> Path:
    (tmp_path / "run.toml").write_text(text, "utf-8")
    return tmp_path / "run.toml"


def refusal(**sources) -> str:
    with pytest.raises(SettingError) as caught:
        load_settings(**{"environment": {}, **sources})
    assert "\n" not in str(caught.value)
    return str(caught.value)


@given(file=STEPS, variable=STEPS, flag=STEPS)
@ORDINARY
def test_the_later_of_default_file_environment_and_flag_wins(tmp_path, file, variable, flag):
    found = load_settings(
        None if file is None else written(tmp_path, f"steps = {file}"),
        {} if variable is None else {"QUICKSTUDY_STEPS": str(variable)},
        {} if flag is None else {"steps": str(flag)},
    )
    said = [steps for steps in (5000, file, variable, flag) if steps is not None]
    assert found.steps == said[-1]


def test_sources_are_joined_setting_by_setting(tmp_path):
    file = written(tmp_path, 'algorithm = "maml"\nseed = 1\nwidth = 1\n')
    found = load_settings(file, {"QUICKSTUDY_SEED": "2", "QUICKSTUDY_WIDTH": "2"}, {"width": "3"})
    assert (found.algorithm, found.seed, found.width) == ("maml", 1 + 1, 3)


@pytest.mark.parametrize("algorithm", LEARNERS)
def test_a_preset_gives_way_to_what_is_said(algorithm):
    assert complete({"algorithm": algorithm, "pool": False}).pool is False
    assert complete({"algorithm": algorithm}).tasks_per_step == RECIPES[algorithm].preset["tasks_per_step"]


@pytest.mark.parametrize(
    ("algorithm", "data"),
    [(a, d) for a in LEARNERS for d in choices("data") if d != "sinusoid" or a in REGRESSION],
)
def test_settings_survive_json_and_are_complete_at_once(algorithm, data):
    found = complete({"algorithm": algorithm, "data": data, "data_root": Path("some/where"), "inner_lr": 0.1})
    assert complete(json.loads(json.dumps(found.model_dump(mode="json")))) == found


@pytest.mark.parametrize("name", ["outer_lr", "weight_decay", "clip", "worker_timeout"])
def test_numbers_that_torch_cannot_take_are_refused(name):
    with pytest.raises(SettingError, match=rf"{name} = 1e\+40: input should be less than or equal to 1000000"):
        complete({name: 1e40, "workers": 2})


def test_every_algorithm_has_a_recipe_and_a_name():
    assert choices("algorithm") == tuple(LEARNERS) == tuple(RECIPES)


def test_every_setting_is_described():
    assert all(field.metadata["description"] for field in FIELDS.values())
    assert set(HYPERPARAMETERS) <= set(FIELDS)


@pytest.mark.parametrize("no", ["false", "0", "no", "off", "False"])
@pytest.mark.parametrize("yes", ["true", "1", "yes", "on", "TRUE"])
def test_yes_and_no_from_the_environment(yes, no):
    found = load_settings(
        environment={"QUICKSTUDY_DATA": "folders", "QUICKSTUDY_TENSORBOARD": yes, "QUICKSTUDY_INK": no}
    )
    assert (found.tensorboard, found.ink) == (True, False)


def test_numbers_are_read_from_text():
    variables = {"CHANNELS": "3", "OUTER_LR": "1e-4", "DATA_ROOT": "a/b", "DATA": "folders"}
    found = load_settings(environment={f"QUICKSTUDY_{name}": value for name, value in variables.items()})
    assert (found.channels, found.outer_lr, found.data_root) == (3, 1e-4, Path("a/b"))


def test_the_cache_folder_and_others_variables_are_no_settings():
    assert load_settings(environment={"QUICKSTUDY_CACHE": "/somewhere", "STEPS": "7", "HOME": "/"}) == complete({})


def test_an_unknown_setting_names_the_nearest_and_where_it_stands(tmp_path):
    file = written(tmp_path, "iner_lr = 0.1")
    for sources, where in (
        ({"file": file}, str(file)),
        ({"environment": {"QUICKSTUDY_INER_LR": "0.1"}}, "the environment"),
        ({"flags": {"iner_lr": "0.1"}}, "the command line"),
    ):
        assert refusal(**sources).startswith(f"{where}: unknown setting 'iner_lr': did you mean 'inner_lr'?")


def test_an_unknown_word_names_the_nearest():
    assert refusal(flags={"algorithm": "protypical"}).startswith(
        "the command line: unknown algorithm 'protypical': did you mean 'prototypical'?"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        "steps = 0",
        "steps = 1.5",
        'steps = "many"',
        "steps = []",
        "seed = -1",
        f"seed = {2**63}",
        "inner_lr = 0",
        "inner_lr = nan",
        "inner_lr = inf",
        "n_way = 0",
        "channels = 2",
        "algorithm = 1",
        "image_size = 15",
        'ink = "perhaps"',
        'pool = ""',
        "[width]\nof = 1",
        "arguments = 3",
        'arguments = "temperature"',
        "[arguments]\nday = 2020-01-01",
        "[arguments]\nscale = nan",
    ],
)
def test_a_wrong_value_is_named_with_where_it_stands(tmp_path, wrong):
    file = written(tmp_path, wrong)
    name = wrong.strip("[").split()[0].strip("]")
    assert refusal(file=file).startswith(f"{file}: {name} = ")


@pytest.mark.parametrize("text", ["steps: 5", "steps = ", "steps = 1\nsteps = 2", "\x00"])
def test_a_file_that_is_no_toml_is_named(tmp_path, text):
    file = written(tmp_path, text)
    assert refusal(file=file).startswith(f"{file} is not a TOML file: ")


def test_a_file_that_is_absent_or_no_text_is_named(tmp_path):
    assert str(tmp_path / "none.toml") in refusal(file=tmp_path / "none.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert str(tmp_path / "bytes.toml") in refusal(file=tmp_path / "bytes.toml")
    assert str(tmp_path) in refusal(file=tmp_path)


@given(st.dictionaries(st.text(max_size=8) | st.sampled_from(sorted(FIELDS)), st.text(max_size=8)))
@ORDINARY
def test_any_text_is_settings_or_one_line(given_):
    try:
        load_settings(environment={}, flags=given_)
    except SettingError as error:
        assert len(str(error).splitlines()) == 1  # noqa: PT017


@pytest.mark.parametrize("algorithm", sorted(set(LEARNERS) - REGRESSION))
def test_who_only_classifies_is_refused_for_regression(algorithm):
    assert "choose one of maml, reptile" in refusal(flags={"algorithm": algorithm, "data": "sinusoid"})


def test_a_net_that_does_not_take_the_data_is_refused():
    assert "'conv4' does not take sinusoid" in refusal(flags={"algorithm": "maml", "data": "sinusoid", "net": "conv4"})
    assert "'mlp' does not take glyphs, only conv4 or conv4-maps or resnet6 or resnet12 do" in refusal(
        flags={"net": "mlp"}
    )
    assert complete({"net": "resnet12"}).net == "resnet12"


def test_arguments_are_a_table_or_json(tmp_path):
    file = written(tmp_path, "[arguments]\ntemperature = 2\nsizes = [1, 2]")
    assert load_settings(file, {}).arguments == {"temperature": 2, "sizes": [1, 2]}
    assert load_settings(file, {}, {"arguments": '{"temperature": 3}'}).arguments == {"temperature": 3}
    assert load_settings(environment={"QUICKSTUDY_ARGUMENTS": "{}"}).arguments == {}
    assert "give a table, or an object in JSON" in refusal(flags={"arguments": "[" * 100_000})


class Narrow(MAML):
    """A learner of another package that extends one of ours and takes fewer arguments."""

    def __init__(self, net, n_way=5, *, inner_lr=0.4, loss="cross_entropy"):
        super().__init__(net, n_way, inner_lr=inner_lr, loss=loss)


class Alone(Learner):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def adapt(self, support):
        raise NotImplementedError


class Plain(Alone):
    episodic = False


def test_a_learner_without_a_recipe_is_trained_as_the_one_it_extends_or_by_its_base():
    for cls in (Narrow, Alone, Plain):
        LEARNERS.register(cls.__name__, cls)
    narrow, alone, plain = (complete({"algorithm": cls.__name__}) for cls in (Narrow, Alone, Plain))
    assert (narrow.tasks_per_step, narrow.clip, narrow.test_steps) == (32, 10.0, None)
    assert (alone.tasks_per_step, alone.train_query, alone.batch_size, alone.optimizer) == (4, 5, None, "adam")
    assert (plain.tasks_per_step, plain.batch_size) == (1, 128)
    assert complete({"algorithm": "Narrow", "data": "sinusoid"}).tasks_per_step == 25
    assert "Alone is a classifier, but sinusoid is regression" in refusal(
        flags={"algorithm": "Alone", "data": "sinusoid"}
    )


def test_a_registered_name_is_a_choice():
    LEARNERS.register("mine", Alone)
    NETS.register("wide", Conv4)
    assert (choices("algorithm")[-1], choices("net")[-1]) == ("mine", "wide")
    assert complete({"algorithm": "mine", "net": "wide"}).net == "wide"


def test_what_is_not_registered_may_be_of_a_missing_package():
    assert refusal(flags={"algorithm": "mine"}).endswith("; a package that adds it may be missing here")
    assert "unknown net 'identity'" in refusal(flags={"net": "identity"})
