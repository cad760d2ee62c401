"""Training on features of a frozen encoder, from photographs and sentences to answers."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

import quickstudy as qs
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.encoders import ENCODERS
from quickstudy.inputs.photo_encoder import PhotoEncoder
from quickstudy.runs.encoding import as_photos
from quickstudy.runs.evaluation import evaluate_run
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.run import Run
from quickstudy.runs.settings import complete, load_settings
from quickstudy.runs.train import train_run
from quickstudy.tasks.digits import Digits
from tests.inputs import test_embedded as counted

SHORT = {"steps": 2, "validate_every": 2, "validation_tasks": 2, "n_way": 2, "n_query": 2, "train_query": 2}
FLAGS = [part for name, value in SHORT.items() for part in (f"--{name.replace('_', '-')}", str(value))]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Folder of ten classes of coloured pictures."""
    place, draw = tmp_path_factory.mktemp("data") / "photos", np.random.default_rng(0)
    for label in range(10):
        (place / f"c{label}").mkdir(parents=True)
        base = draw.integers(0, 256, (2, 2, 3))
        for i in range(4):
            pixels = np.clip(base + draw.integers(-20, 20, (2, 2, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(pixels).resize((40, 30)).save(place / f"c{label}" / f"{i}.png")
    return place


@pytest.fixture(scope="module")
def tickets(tmp_path_factory):
    place = tmp_path_factory.mktemp("data") / "tickets.csv"
    rows = [f"{'abcdefghij'[label] * (i + 1)} {i},l{label}" for label in range(10) for i in range(4)]
    place.write_text("\n".join(["text,label", *rows]) + "\n")
    return place


def test_from_photographs_to_a_run_to_answers_by_command(photos, tmp_path, cli):
    run = str(tmp_path / "run")
    source = ["--data", "folders", "--data-root", str(photos), "--inputs", "photos", "--encoder", "counted"]
    counted.EMBEDDED.clear()
    done = cli("train", *source, *FLAGS, "--algorithm", "prototypical", "--out", run)
    assert done.code == 0, done.err
    assert sum(counted.EMBEDDED) <= 40 + 1  # each photograph, and one black image that measures the width
    assert Run(run).model.inputs == qs.Photos.encoded_by("counted")
    assert type(Run(run).learner.net).__name__ == "Residual"
    counted.EMBEDDED.clear()
    done = cli("evaluate", run, "--n-tasks", "5", "--json")
    assert done.code == 0, done.err
    assert sum(counted.EMBEDDED) == 0
    assert json.loads(done.out)["n_tasks"] == 5
    assert cli("calibrate", run, "--n-tasks", "20").code == 0
    assert cli("adapt", run, str(photos), "-o", str(tmp_path / "few")).code == 0
    done = cli("predict", str(tmp_path / "few"), str(photos / "c3" / "0.png"), "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["answers"][0]["label"] == "c3"


@pytest.mark.parametrize(
    ("algorithm", "net"), [("r2d2", "mlp"), ("maml", "residual"), ("in-context", "mlp"), ("matching", "mlp")]
)
def test_any_learner_trains_on_features(photos, tmp_path, algorithm, net):
    given = {"data": "folders", "data_root": str(photos), "inputs": "photos", "encoder": "counted", **SHORT}
    run = train_run(complete({**given, "algorithm": algorithm, "net": net}), tmp_path / "run")
    assert evaluate_run(run, 3).evaluation.metric == "accuracy"
    few = qs.adapt(photos, run)
    assert set(few.predict([photos / "c1" / "0.png", Image.open(photos / "c2" / "1.png")])) <= set(few.labels)


def test_sentences_by_another_encoder_are_trained_on(tickets, tmp_path, cli):
    run = str(tmp_path / "run")
    source = ["--data", "text", "--data-root", str(tickets), "--encoder", "counted-text"]
    done = cli("train", *source, *FLAGS, "--out", run)
    assert done.code == 0, done.err
    assert (Run(run).model.inputs.encoder, Run(run).model.inputs.width) == ("counted-text", 5)
    counted.EMBEDDED.clear()
    assert cli("evaluate", run, "--n-tasks", "3").code == 0
    assert not counted.EMBEDDED
    assert cli("adapt", run, str(tickets), "-o", str(tmp_path / "desk")).code == 0
    done = cli("predict", str(tmp_path / "desk"), "ccc", "--json")
    assert json.loads(done.out)["answers"][0]["label"] == "l2"


def test_images_in_memory_become_features_too():
    loaded, photos = Digits().load(), qs.Photos.encoded_by("counted")
    few = loaded.splits.test.select([3, 5])
    splits = loaded.splits._replace(test=few)
    again = as_photos(loaded._replace(splits=splits), photos)
    assert again.inputs is photos
    assert again.splits.test.names == few.names
    assert again.splits.test.x.shape == (len(few.x), 12)
    assert again.splits.train.x.shape == (0, 12)
    torch.testing.assert_close(again.splits.test.x[:1], photos.encode([qs.Item("first", few.x[0].numpy())]))


def test_the_default_encoder_of_photographs(photos):
    pytest.importorskip("efficientnet_lite_pytorch")
    experiment = Experiment(complete({"data": "folders", "data_root": str(photos), "inputs": "photos", **SHORT}))
    assert experiment.inputs == qs.Photos()
    assert experiment.loaded.splits.train.x.shape == (24, 1280)


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        ({"data": "text", "inputs": "photos"}, "inputs = photos has no effect with data = text"),
        ({"data": "sinusoid", "inputs": "photos", "algorithm": "maml"}, "inputs = photos has no effect"),
        ({"data": "glyphs", "encoder": "counted"}, "encoder = counted has no effect with data = glyphs: it needs"),
        ({"data": "table", "encoder": "minilm"}, "encoder = minilm has no effect with data = table"),
        ({"inputs": "photos", "image_size": 84, "data": "folders"}, "image_size = 84 has no effect with data = f"),
        ({"inputs": "photos", "channels": 3, "data": "folders"}, "channels = 3 has no effect with data = folders"),
        ({"inputs": "photos", "ink": False, "data": "cifar-fs"}, "ink = False has no effect"),
        ({"inputs": "photos", "warp": True, "data": "folders"}, "warp = True has no effect with data = folders and"),
        ({"inputs": "photos", "augment": True, "data": "cifar-fs"}, "augment = True has no effect"),
        ({"inputs": "photos", "rotations": "classes", "data": "omniglot"}, "rotations = classes has no effect"),
        ({"inputs": "photos", "glyph_classes": 9, "data": "omniglot"}, "glyph_classes = 9 has no effect"),
        ({"inputs": "photos", "net": "conv4", "data": "folders"}, "only residual or mlp do"),
        ({"inputs": "drawings", "data": "folders"}, "unknown inputs 'drawings'"),
    ],
)
def test_what_does_nothing_is_refused(flags, reason):
    with pytest.raises(SettingError) as caught:
        load_settings(environment={}, flags=flags)
    assert reason in str(caught.value)


@pytest.mark.parametrize("encoder", ["minilm", "nobody/nothing"])
def test_an_encoder_that_is_not_for_photographs_is_one_line(photos, refused, encoder, tmp_path):
    source = ["--data", "folders", "--data-root", str(photos), "--inputs", "photos", "--encoder", encoder]
    line = refused("train", *source, "--out", str(tmp_path / "run"))
    assert "embeds sentences, not photos" in line or "it is not on this machine" in line
    assert not (tmp_path / "run").exists()


def test_turning_features_is_refused(photos, tmp_path):
    given = {"data": "folders", "data_root": str(photos), "inputs": "photos", "encoder": "counted", **SHORT}
    run = train_run(complete(given), tmp_path / "run")
    with pytest.raises(SettingError, match="--rotate needs images"):
        evaluate_run(run, 2, rotate=True)
    with pytest.raises(SettingError, match="--turned needs images"):
        evaluate_run(run, 2, turned=True)


def test_a_run_goes_on_with_its_own_weights_alone(photos, tmp_path):
    class First(PhotoEncoder):
        def __init__(self):
            super().__init__(counted.Quarters(3.0), size=16)

    def named(cls):
        cls.__qualname__ = "replaced"
        ENCODERS.register("replaced", cls)

    named(First)
    given = {"data": "folders", "data_root": str(photos), "inputs": "photos", "encoder": "replaced", **SHORT}
    run = train_run(complete(given), tmp_path / "run")
    assert Run(train_run(complete({**given, "steps": 4}), run, resume=True)).last_step == 4

    class Second(PhotoEncoder):
        def __init__(self):
            super().__init__(counted.Quarters(4.0), size=16)

    named(Second)
    with pytest.raises(ModelError, match="differ from those that this model was made with"):
        train_run(complete({**given, "steps": 6}), run, resume=True)
    with pytest.raises(ModelError, match="differ from those that this model was made with"):
        qs.adapt(photos, run)
