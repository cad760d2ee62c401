"""A run is decided by its settings alone, and its folder holds it as data."""

import json

import pytest
import torch
from PIL import Image

from quickstudy.errors import NotEnoughClasses, SettingError
from quickstudy.learners import LEARNERS
from quickstudy.nets import ResNet12
from quickstudy.runs.arguments import check_applies
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.recipes import recipes
from quickstudy.runs.run import Run
from quickstudy.runs.settings import HYPERPARAMETERS, check_effects, complete
from quickstudy.tasks.omniglot import alphabet
from tests.each import each_learner

QUICK = {
    "maml": {"tasks_per_step": 2, "test_steps": 1},
    "reptile": {"tasks_per_step": 2, "train_shot": 3, "inner_steps": 2, "test_steps": 2},
    "anil": {"tasks_per_step": 2},
    "meta-sgd": {"tasks_per_step": 2},
    "maml++": {"tasks_per_step": 2, "inner_steps": 2},
    "imaml": {"tasks_per_step": 2, "inner_steps": 2, "cg_steps": 2},
    "proto-maml": {"tasks_per_step": 2, "inner_steps": 2},
    "tim": {"test_steps": 1},
    "pt-map": {"test_steps": 1},
    "trans-finetune": {"test_steps": 1},
    "meta-curvature": {"tasks_per_step": 2, "test_steps": 1},
    "kfo": {"tasks_per_step": 2, "test_steps": 1},
    "baseline": {"batch_size": 16, "head_steps": 5},
    "cosine-baseline": {"batch_size": 16, "head_steps": 5},
    "simple-shot": {"batch_size": 16},
}


def trained(folder, **settings):
    experiment = Experiment(complete(settings))
    return experiment, list(experiment.train(folder))


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.mark.parametrize("algorithm", each_learner())
def test_a_run_is_kept_and_opened_again(tmp_path, small, algorithm):
    small |= {"algorithm": algorithm, "validate_every": 2, **QUICK.get(algorithm, {})}
    experiment, progress = trained(tmp_path / "run", **small)
    assert [p.step for p in progress] == [1, 2, 3]
    assert sorted(path.name for path in (tmp_path / "run").iterdir()) == [
        "checkpoints",
        "config.json",
        "metrics.jsonl",
        "model.safetensors",
        "probe.safetensors",
        "result.json",
        "run.json",
        "seal.json",
    ]
    run = Run(tmp_path / "run")
    settings, learner = run.settings, run.learner
    assert settings == experiment.settings
    support, query = experiment.test_tasks().sample(0, 1).at(0)
    assert torch.equal(learner.adapt(support)(query.x), experiment.learner.adapt(support)(query.x))


def test_equal_settings_give_equal_bytes_and_leave_global_randomness_alone(tmp_path, small):
    before = torch.get_rng_state()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.manual_seed(hash(name) % 2**32)
        state = torch.get_rng_state()
        trained(tmp_path / name, **small | {"seed": seed})
        assert torch.equal(torch.get_rng_state(), state)
    torch.set_rng_state(before)
    a, b, c = ((tmp_path / name / "model.safetensors").read_bytes() for name in "abc")
    assert a == b != c


def test_a_run_is_never_written_over(tmp_path, small):
    trained(tmp_path, **small)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    with pytest.raises(SettingError, match=r"there is a run in .* already; continue it by `quickstudy train --resume"):
        trained(tmp_path, **small)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("algorithm", [name for name, recipe in recipes().items() if recipe.regression is not None])
def test_sinusoids_are_learned(tmp_path, algorithm):
    experiment, _ = trained(tmp_path, algorithm=algorithm, data="sinusoid", steps=3, validation_tasks=2)
    assert metrics(tmp_path)[-1]["validation"]["metric"] == "mse"
    learner = Run(tmp_path).learner
    support, query = experiment.test_tasks().sample(0, 1).at(0)
    assert torch.equal(learner.adapt(support)(query.x), experiment.learner.adapt(support)(query.x))


def test_glyphs_need_no_files(tmp_path):
    trained(tmp_path, width=4, steps=1, train_way=5, validation_tasks=2)
    assert Run(tmp_path).settings.data == "glyphs"


def test_a_training_task_has_at_most_all_classes(small):
    tasks = Experiment(complete(small | {"train_way": 60})).tasks
    assert tasks.sample(0, 1).support.y.shape[-1] == tasks.data.n_classes < 60


def test_turned_images_are_new_classes_of_training_alone(small):
    plain, turned = (Experiment(complete(small | {"rotations": r})) for r in ("none", "classes"))
    assert turned.tasks.data.n_classes == 4 * plain.tasks.data.n_classes
    assert turned.test_tasks().data.n_classes == plain.test_tasks().data.n_classes
    assert Experiment(complete(small | {"rotations": "tasks"})).tasks.rotate


def test_splits_in_folders_of_their_own_are_kept(tmp_path, pictures, small):
    classes = sorted(pictures.iterdir())
    for name, chosen in (("train", classes[:8]), ("val", classes[8:11]), ("test", classes[11:])):
        (tmp_path / "data" / name).mkdir(parents=True)
        for place in chosen:
            (tmp_path / "data" / name / place.name).symlink_to(place)
    experiment, _ = trained(tmp_path / "run", **small | {"data_root": tmp_path / "data"})
    assert experiment.test_tasks().data.names == tuple(place.name for place in classes[11:])


@pytest.mark.slow
@pytest.mark.parametrize("data", ["omniglot", "folders"])
def test_folders_in_the_layout_of_omniglot(tmp_path, pictures, data):
    places = iter(sorted(pictures.iterdir()) * 2)
    for part, alphabets in (("images_background", 10), ("images_evaluation", 2)):
        for number in range(alphabets):
            for character in range(2):
                folder = tmp_path / part / f"{part[7]}{number}" / f"character{character:02}"
                folder.mkdir(parents=True)
                for image in next(places).iterdir():
                    Image.open(image).resize((105, 105)).convert("1").save(folder / image.name)
    root = tmp_path if data == "omniglot" else tmp_path / "images_background"
    sizes = {"n_way": 2, "n_query": 3, "train_way": 4, "train_query": 2, "width": 4, "steps": 2, "validation_tasks": 2}
    experiment, _ = trained(tmp_path / "run", data=data, data_root=root, **sizes)
    assert all(len(name.split("/")) == 2 for name in experiment.test_tasks().data.names)


def test_a_run_is_used_from_another_folder(tmp_path, pictures, small, monkeypatch):
    (tmp_path / "data").symlink_to(pictures)
    monkeypatch.chdir(tmp_path)
    trained(tmp_path / "run", **small | {"data_root": "data"})
    monkeypatch.chdir(tmp_path / "run")
    assert Experiment(Run(tmp_path / "run").settings).test_tasks().data.n_classes


def test_colour_images_of_another_size(tmp_path):
    for c in range(5):
        for i in range(3):
            path = tmp_path / "data" / f"{c}" / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (20, 30), (40 * c, 80 * i, 0)).save(path)
    given = {"data": "folders", "data_root": tmp_path / "data", "channels": 3, "image_size": 20, "ink": False}
    sizes = {"n_way": 1, "n_query": 1, "train_way": 2, "train_query": 1, "width": 4, "steps": 1, "validation_tasks": 2}
    trained(tmp_path / "run", **given, **sizes)
    assert json.loads((tmp_path / "run" / "config.json").read_text())["inputs"] == {
        "name": "images",
        "channels": 3,
        "size": 20,
        "ink": False,
    }


def test_a_residual_net_is_trained_on(tmp_path, small):
    trained(tmp_path, **small | {"net": "resnet12", "width": 2})
    net = Run(tmp_path).learner.net
    assert (type(net), net.channels, net.size, net.width) == (ResNet12, 1, 28, 2)


@pytest.mark.parametrize("name", HYPERPARAMETERS)
@pytest.mark.parametrize("algorithm", each_learner())
def test_a_hyperparameter_is_taken_or_refused_with_those_that_take_it(algorithm, name):
    takers = [other for other, learner in LEARNERS.items() if name in (learner.__init__.__kwdefaults__ or {})]
    assert takers
    if algorithm in takers:
        check_applies(name, algorithm)
        return
    with pytest.raises(SettingError) as caught:
        check_applies(name, algorithm)
    assert str(caught.value) == f"{name} does not apply to {algorithm}, only to {', '.join(takers)}; leave it out"


def test_hyperparameters_reach_the_learner_or_stop_the_run(tmp_path):
    given = {"data": "sinusoid", "algorithm": "maml", "inner_lr": 0.25, "inner_steps": 3, "first_order": True}
    learner = Experiment(complete(given)).learner
    assert (learner.inner_lr, learner.inner_steps, learner.first_order) == (0.25, 3, True)
    with pytest.raises(SettingError, match="head_lr does not apply to maml, only to baseline, cosine-baseline"):
        trained(tmp_path / "run", **given, head_lr=1)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            {"algorithm": "maml", "batch_size": 16},
            "batch_size = 16 has no effect with algorithm = maml: it needs an algorithm that trains on plain batches",
        ),
        (
            {"algorithm": "baseline", "rotations": "tasks"},
            "rotations = tasks has no effect with algorithm = baseline: it needs an algorithm that trains on tasks",
        ),
        ({"algorithm": "simple-shot", "rotations": "tasks"}, "rotations = tasks has no effect .*= simple-shot"),
    ],
)
def test_a_setting_that_would_do_nothing_is_refused(small, given, words):
    with pytest.raises(SettingError, match=words):
        _ = Experiment(complete(small | given)).tasks


def test_data_without_training_classes_is_refused(tmp_path):
    with pytest.raises(NotEnoughClasses, match="digits has no training classes, only test classes; choose other data"):
        trained(tmp_path / "run", data="digits", algorithm="baseline")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("algorithm", ["maml", "siamese", "matching", "prototypical", "r2d2"])
def test_training_without_queries_is_for_reptile_alone(small, algorithm):
    small = {**small, "train_shot": 2, "train_query": 0}
    assert Experiment(complete({**small, "algorithm": "reptile"})).tasks.sample(1, 1)
    with pytest.raises(SettingError, match=f"train_query = 0 gives {algorithm} no queries"):
        Experiment(complete({**small, "algorithm": algorithm})).tasks.sample(1, 1)


def test_a_device_that_is_not_there_is_refused():
    with pytest.raises(SettingError, match="device = 'nowhere' is not available on this machine") as caught:
        Experiment(complete({"data": "sinusoid", "algorithm": "maml", "device": "nowhere"}))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("split", ["background", "vinyals"])
def test_shared_omniglot_is_trained_on(tmp_path, shared, split):
    trained(tmp_path, data="omniglot", data_root=shared, split=split, width=4, steps=2, train_way=5, validation_tasks=2)
    assert len(metrics(tmp_path)) == 2


def test_glyphs_are_as_many_classes_as_asked():
    settings = {"data": "glyphs", "glyph_classes": 7, "train_way": 5}
    assert Experiment(complete(settings)).tasks.data.n_classes == 7


def test_shared_omniglot_gives_tasks_within_alphabets(shared):
    given = {"data": "omniglot", "data_root": shared, "rotations": "classes", "within_alphabets": True, "train_way": 20}
    tasks = Experiment(complete({"algorithm": "prototypical", **given})).tasks
    names = [[tasks.data.names[c] for c in group] for group in tasks.groups]
    assert {"Greek", "Greek@90", "Latin@270"} <= {alphabet(group[0]) for group in names}
    assert all(len(group) >= 20 and len({*map(alphabet, group)}) == 1 for group in names)


def test_shared_omniglot_is_trained_on_beside_invented_characters(shared):
    settings = {"data": "omniglot", "data_root": shared, "split": "vinyals", "rotations": "classes", "glyph_classes": 5}
    names = Experiment(complete(settings)).tasks.data.names
    assert len(names) == 4 * 1028 + 5
    assert names[-5:] == tuple(f"glyph-{k:06d}" for k in range(5))


def test_invented_characters_join_no_other_data(small):
    with pytest.raises(
        SettingError,
        match="glyph_classes = 5 has no effect with data = folders: it needs data = glyphs, or omniglot as images",
    ):
        _ = Experiment(complete({**small, "glyph_classes": 5})).tasks


def test_training_starts_from_another_models_net(tmp_path, small):
    trained(tmp_path / "first", **small, algorithm="prototypical")
    second = Experiment(complete({**small, "algorithm": "matching", "init": tmp_path / "first"}))
    for name, w in Run(tmp_path / "first").learner.net.state_dict().items():
        assert torch.equal(second.learner.net.state_dict()[name], w)
    assert len(list(second.train(tmp_path / "second"))) == 3


@pytest.mark.parametrize("other", [{"width": 8}, {"net": "resnet12"}, {"algorithm": "nearest-pixels"}])
def test_another_net_is_no_start(tmp_path, small, other):
    trained(tmp_path / "first", **small)
    with pytest.raises(SettingError, match="first' has another net than this training"):
        _ = Experiment(complete({**small, **other, "init": tmp_path / "first"})).learner


@pytest.mark.parametrize(("algorithm", "data"), [("prototypical", "glyphs"), ("cosine-baseline", "omniglot")])
def test_only_tasks_from_omniglot_are_within_alphabets(algorithm, data):
    settings = complete({"algorithm": algorithm, "data": data, "within_alphabets": True})
    with pytest.raises(SettingError, match=r"within_alphabets = True has no effect with .*: it needs"):
        check_effects(settings, ["within_alphabets"])


def test_what_has_no_images_is_not_warped():
    with pytest.raises(
        SettingError, match="warp = True has no effect with data = sinusoid: it needs data that are images"
    ):
        _ = Experiment(complete({"algorithm": "maml", "data": "sinusoid", "warp": True})).tasks
