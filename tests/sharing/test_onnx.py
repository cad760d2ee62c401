"""What is exported answers as the model does, for any number of inputs, and knows its labels."""

import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from quickstudy import MLP, Classifier, Conv4, Learner, Matching, NearestPixels, Prototypical, Relation, load
from quickstudy.classify.confidence import Confidence
from quickstudy.errors import ModelError
from quickstudy.inputs.dataset import encoded
from quickstudy.inputs.images import Images
from quickstudy.inputs.tables import Table
from quickstudy.learners import LEARNERS
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Conv4Maps
from quickstudy.tasks.glyphs import draw_glyphs

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from quickstudy.sharing.onnx import export  # noqa: E402
from tests.inputs.drawings import drawing, read  # noqa: E402
from tests.inputs.test_images import by_the_recipe  # noqa: E402
from tests.seen import seen  # noqa: E402

DATA = draw_glyphs(range(3), 4)
CONFIDENCE = ModelFolder("glyphs-proto").entry("confidence", Confidence)


def run(path, x):
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"x": x})[0], session.get_modelmeta().custom_metadata_map


def small(name):
    if name == "nearest-pixels":
        return NearestPixels(1, 28)
    return LEARNERS[name](seen(Conv4(width=8)), **({"n_classes": 9} if not LEARNERS[name].episodic else {}))


OTHERS = {
    "full context": lambda: Matching(seen(Conv4(width=8)), full_context=True),
    "relation of maps": lambda: seen(Relation(Conv4Maps(width=8))),
    "a pooled net": lambda: LEARNERS["maml"](seen(Conv4(width=8, pool=True))),
}


USUAL = {"maml", "prototypical"}
"""One of each base; all others together are slow."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in USUAL else pytest.mark.slow) for n in (*LEARNERS, *OTHERS)]
)
def test_a_classifier_answers_elsewhere_as_here(tmp_path, name):
    torch.manual_seed(0)
    few = Classifier(OTHERS[name]() if name in OTHERS else small(name), Images(), DATA, CONFIDENCE)
    assert export(few, tmp_path / "few.onnx") <= 1e-5
    for n in (1, 12):
        x = DATA.x[:n].float() / 255
        found, about = run(tmp_path / "few.onnx", x.numpy())
        np.testing.assert_allclose(found, few.predict_proba(DATA.x[:n]), atol=1e-5)
    assert json.loads(about["labels"]) == list(DATA.names)
    assert json.loads(about["input"]) == [1, 28, 28]


class Untraceable(Learner):
    """Looks at a value to decide what to do."""

    def __init__(self):
        super().__init__()
        self.bias = torch.nn.Parameter(torch.zeros(()))

    def adapt(self, support):
        return lambda x: (x if x.sum() > 0 else -x).flatten(1)[:, : support.y.shape[1]] + self.bias


def test_an_encoder_embeds_elsewhere_as_here_and_the_exporter_has_nothing_to_say(tmp_path):
    command = [sys.executable, "-m", "quickstudy", "export", "glyphs-proto", "-o", tmp_path / "net.onnx", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert json.loads(done.stdout)["difference"] <= 1e-5
    few = Classifier(load("glyphs-proto"), Images(), DATA)
    x = DATA.x.float() / 255
    found, _ = run(tmp_path / "net.onnx", x.numpy())
    np.testing.assert_allclose(found, few.embed(x).numpy(), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("model", "says"),
    [
        (Classifier(Untraceable(), Images(), DATA), "torch cannot write Untraceable as ONNX"),
        (Classifier(Prototypical(seen(Conv4(width=4)), transductive=True), Images(), DATA), "is transductive"),
        (NearestPixels(1, 28), "NearestPixels has no net"),
    ],
)
def test_what_cannot_be_exported_is_told(tmp_path, model, says):
    with pytest.raises(ModelError, match=says):
        export(model, tmp_path / "no.onnx")
    assert not list(tmp_path.iterdir())


def about(path):
    metadata = onnxruntime.InferenceSession(path).get_modelmeta().custom_metadata_map
    return {name: json.loads(value) for name, value in metadata.items()}


@pytest.mark.parametrize("paper", [255, 0])
def test_a_file_says_how_a_drawing_becomes_its_input(tmp_path, paper):
    """From the words of the recipe with Pillow and NumPy alone, and from there to the same answer."""
    few = Classifier(load("glyphs-proto"), Images(), DATA)
    few.save(tmp_path / "few")
    export(tmp_path / "few", tmp_path / "few.onnx")
    said = about(tmp_path / "few.onnx")
    assert said["inputs"] == {"name": "images", "channels": 1, "size": 28, "ink": True}
    assert said["recipe"] == Images().recipe
    drawing((120, 80), paper, 255 - paper).save(tmp_path / "new.png")
    x = by_the_recipe(tmp_path / "new.png", said["inputs"]["channels"], said["inputs"]["size"])
    assert np.abs(x - read(tmp_path / "new.png", Images()) / 255).max() <= 1 / 255 + 1e-9
    (found,) = run(tmp_path / "few.onnx", x[None].astype(np.float32))[0]
    np.testing.assert_allclose(found, few.predict_proba([tmp_path / "new.png"])[0], atol=5e-3)


def test_a_file_says_how_a_row_becomes_its_input(tmp_path):
    torch.manual_seed(0)
    table = Table({"width": [2.0, 0.5]}, {"colour": ["blue", "red"]})
    rows = [{"width": "1", "colour": "red"}, {"width": "2", "colour": ""}, {"width": "", "colour": "blue"}]
    few = Classifier(Prototypical(MLP(3, (8,))), table, encoded(table, zip(table.items(rows), "abb", strict=True)))
    export(few, tmp_path / "few.onnx")
    said = about(tmp_path / "few.onnx")
    assert "(value - mean) / deviation, cut at -10 and 10, 0 where missing" in said["recipe"]
    vectors = []
    for row in rows:
        vector = []
        for name, (mean, deviation) in said["inputs"]["numbers"].items():
            vector.append(max(-10, min(10, (float(row[name]) - mean) / deviation)) if row[name] else 0.0)
        for name, values in said["inputs"]["categories"].items():
            vector += [float(row[name] == value) for value in values]
        vectors.append(vector)
    found, _ = run(tmp_path / "few.onnx", np.array(vectors, np.float32))
    np.testing.assert_allclose(found, few.predict_proba(rows), atol=1e-5)


def test_an_encoder_of_a_run_says_it_too(tmp_path):
    export("glyphs-proto", tmp_path / "net.onnx")
    said = about(tmp_path / "net.onnx")
    assert said["inputs"]["name"] == "images"
    assert "labels" not in said
    assert "Divide by 255" in said["recipe"]
