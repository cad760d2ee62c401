"""What is exported answers as the model does, for a picture or any number of inputs, and knows its labels."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import quickstudy as qs
from quickstudy import MLP, Classifier, Conv4, Learner, Matching, NearestPixels, Prototypical, Relation, load
from quickstudy.classify.confidence import Confidence
from quickstudy.errors import ModelError
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.dataset import encoded
from quickstudy.inputs.images import Images
from quickstudy.inputs.tables import Table
from quickstudy.learners import LEARNERS
from quickstudy.learners.transductive import TransductiveLearner
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import Conv4Maps
from quickstudy.tasks.glyphs import draw_glyphs

onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("onnxscript")

from quickstudy.sharing.onnx import export  # noqa: E402
from tests.inputs.drawings import drawing  # noqa: E402
from tests.inputs.test_modules import well_framed  # noqa: E402
from tests.inputs.test_photos import SHARED, scene, shared  # noqa: E402
from tests.seen import seen  # noqa: E402

DATA = draw_glyphs(range(3), 4)
CONFIDENCE = ModelFolder("glyphs-proto").entry("confidence", Confidence)


def run(path, x):
    session = onnxruntime.InferenceSession(path)
    return session.run(None, {"x": x})[0], session.get_modelmeta().custom_metadata_map


def run_pictures(path, pictures):
    """Return the file's answer to each picture, which is decoded to red, green and blue first."""
    session = onnxruntime.InferenceSession(path)
    return np.stack([session.run(None, {"image": np.asarray(each.convert("RGB"))})[0] for each in pictures])


def small(name):
    if name == "nearest-pixels":
        return NearestPixels(1, 28)
    return LEARNERS[name](seen(Conv4(width=8)), **({"n_classes": 9} if not LEARNERS[name].episodic else {}))


OTHERS = {
    "full context": lambda: Matching(seen(Conv4(width=8)), full_context=True),
    "relation of maps": lambda: seen(Relation(Conv4Maps(width=8))),
    "a pooled net": lambda: LEARNERS["maml"](seen(Conv4(width=8, pool=True))),
}


INDUCTIVE = [name for name in LEARNERS if not issubclass(LEARNERS[name], TransductiveLearner)]
USUAL = {"maml", "prototypical"}
"""One of each base; all others together are slow."""


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in USUAL else pytest.mark.slow) for n in (*INDUCTIVE, *OTHERS)]
)
def test_a_classifier_answers_elsewhere_as_here(tmp_path, name):
    torch.manual_seed(0)
    few = Classifier(OTHERS[name]() if name in OTHERS else small(name), Arrays((1, 28, 28)), DATA, CONFIDENCE)
    written = export(few, tmp_path / "few.onnx")
    assert (written.input, written.limits) == ("x", None)
    assert written.difference <= 1e-5
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


@pytest.mark.slow
def test_an_encoder_embeds_elsewhere_as_here_and_the_exporter_has_nothing_to_say(tmp_path):
    command = [sys.executable, "-m", "quickstudy", "export", "glyphs-proto", "-o", tmp_path / "net.onnx", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    written = json.loads(done.stdout)
    assert written["difference"] <= 1e-5
    assert written["input"] == "image"
    assert "not cut out of its surroundings" in written["limits"]
    few = Classifier(load("glyphs-proto"), Images(), DATA)
    found = run_pictures(tmp_path / "net.onnx", [Image.fromarray(x[0].numpy()) for x in DATA.x])
    np.testing.assert_allclose(found, few.embed(DATA.x.float() / 255).numpy(), rtol=1e-4, atol=1e-4)
    said = about(tmp_path / "net.onnx")
    assert said["inputs"]["name"] == "images"
    assert "labels" not in said
    assert "Divide by 255" in said["recipe"]
    assert said["limits"] == written["limits"]


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


@pytest.mark.slow
def test_a_file_takes_a_drawing_of_any_size(tmp_path):
    """Light or dark paper; pictures of the net's size and less are answered alike wherever their drawing lies."""
    few = Classifier(load("glyphs-proto"), Images(), DATA)
    few.save(tmp_path / "few")
    assert export(tmp_path / "few", tmp_path / "few.onnx").difference <= 1e-5
    said = about(tmp_path / "few.onnx")
    assert said["inputs"] == {"name": "images", "channels": 1, "size": 28, "ink": True}
    assert said["recipe"] == Images().recipe
    assert said["input"] == ["height", "width", 3]
    pictures = [well_framed(size, *c) for size in [(120, 80), (400, 500), (28, 28)] for c in [("white", 0), (0, "red")]]
    pictures += [drawing((20, 9), width=2), *(Image.fromarray(x[0].numpy()) for x in DATA.x)]
    np.testing.assert_allclose(
        run_pictures(tmp_path / "few.onnx", pictures), few.predict_proba(pictures), atol=1e-5, rtol=0
    )


@pytest.fixture(scope="module")
def pets(tmp_path_factory):
    """A folder with a classifier of photographs, as a model and as a file."""
    folder = tmp_path_factory.mktemp("pets")
    if SHARED.exists():
        known = [(path, c.name) for c in sorted(SHARED.iterdir())[:5] for path in sorted(c.iterdir())[:5]]
    else:
        known = [(scene(i), "ab"[i % 2]) for i in range(6)]
    photos = qs.Photos.fitted(())
    items, labels = photos.items([path for path, _ in known]), [label for _, label in known]
    data = qs.ClassDataset.from_labels(photos.encode(items), labels, items)
    few = Classifier(qs.R2D2(qs.Identity(1280)), photos, data, CONFIDENCE)
    written = export(few, folder / "pets.onnx")
    assert written.difference <= 1e-5
    assert (written.input, written.limits) == ("image", None)
    return few, folder


@pytest.mark.slow
def test_a_file_takes_a_photograph_of_any_size_and_mode(pets):
    few, folder = pets
    scenes = [scene(i) for i in range(20, 26)]
    changed = [
        scenes[0].resize((90, 300)),
        scenes[1].convert("L"),
        scenes[2].convert("CMYK"),
        scenes[3].resize((50, 41)),
    ]
    pictures = [*scenes, *changed]
    if SHARED.exists():
        pictures += [Image.open(path) for c in sorted(SHARED.iterdir())[:12] for path in sorted(c.iterdir())[6:7]]
    found, want = run_pictures(folder / "pets.onnx", pictures), few.predict_proba(pictures)
    np.testing.assert_allclose(found, want, atol=1e-4, rtol=0)
    assert (found.argmax(1) == want.argmax(1)).all()
    said = about(folder / "pets.onnx")
    assert said["labels"] == list(few.labels)
    assert said["inputs"]["sha256"] == few.inputs.sha256
    assert said["recipe"] == few.inputs.recipe


@shared
@pytest.mark.slow
def test_200_photographs_are_answered_elsewhere_as_here(pets):
    few, folder = pets
    pictures = [Image.open(path) for c in sorted(SHARED.iterdir()) for path in sorted(c.iterdir())[5:10]]
    found, want = run_pictures(folder / "pets.onnx", pictures), few.predict_proba(pictures)
    assert len(want) == 200
    assert np.abs(found - want).max() < 1e-4
    assert (found.argmax(1) == want.argmax(1)).all()


@pytest.mark.slow
@pytest.mark.parametrize("size", [(320, 240), (1400, 1000)])
def test_the_program_of_the_docs_runs_without_torch(pets, size):
    few, folder = pets
    text = (Path(__file__).parents[2] / "docs" / "photos.md").read_text("utf-8")
    [program] = re.findall(r"^```py\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    picture = scene(31).resize(size)
    exif = Image.Exif()
    exif[274] = 6
    picture.transpose(Image.Transpose.ROTATE_90).save(folder / "new.jpg", exif=exif)
    program = f"import sys\nsys.modules['torch'] = None\n{program}"
    done = subprocess.run([sys.executable, "-c", program], cwd=folder, capture_output=True, text=True, check=True)
    label, probability = done.stdout.rsplit(maxsplit=1)
    [want] = few.answer([folder / "new.jpg"])
    assert label == want.label
    assert abs(float(probability) - want.probabilities[want.label]) < 1e-4


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
