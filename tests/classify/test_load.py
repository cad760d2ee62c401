"""A classifier by its folder answers files, sentences, rows and pictures from Python as the command line does."""

import csv
import json
import math
from html import escape
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import quickstudy as qs
from quickstudy.errors import DataError, ModelError
from quickstudy.inputs import sentences
from quickstudy.io import files
from quickstudy.nets import MLP, Residual
from quickstudy.tasks.glyphs import draw_glyphs

TALK = [("will it rain", "weather"), ("storms again", "weather"), ("book a table", "food"), ("order a pizza", "food")]
STONES = [
    {"width": w, "colour": c, "label": y} for w, c, y in (("1", "red", "a"), ("1.5", "", "a"), ("9", "blue", "b"))
]
TABLE = qs.Table({"width": [3.0, 2.0]}, {"colour": ["blue", "red"]})


def embed(name):
    """Encode sentences by their letters, without a model."""
    letters = "abcdefghijklmnopqrstuvwxyz "
    return lambda texts: torch.tensor([[float(t.count(c)) for c in letters] + [0.0] * 357 for t in texts])


def rows(path, some):
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(some[0]))
        writer.writeheader()
        writer.writerows(some)
    return path


class Kind:
    """A kind of input: a run that takes it, labelled examples, new ones as files and from Python."""

    def __init__(self, place, run, source, new, python, names):
        self.place, self.run, self.source, self.new, self.python = place, run, source, new, python
        self.names = names
        qs.adapt(source, run, place / "few")
        self.few = place / "few"


@pytest.fixture(params=["images", "sentences", "rows"])
def kind(request, tmp_path, monkeypatch):
    if request.param == "images":
        data = draw_glyphs(range(3), 4)
        for i, (x, c) in enumerate(zip(data.x, data.y.tolist(), strict=True)):
            path = tmp_path / ("new" if i % 4 == 3 else f"mine/{data.names[c]}") / f"{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(255 - x[0].numpy()).save(path)
        new = [str(path) for path in sorted((tmp_path / "new").iterdir())]
        names = [f"{i}.png" for i in range(12) if i % 4 != 3]
        return Kind(tmp_path, "glyphs-proto", tmp_path / "mine", new, [Image.open(path) for path in new], names)
    torch.manual_seed(0)
    if request.param == "sentences":
        monkeypatch.setattr(sentences, "sentence_encoder", embed)
        qs.save(qs.Prototypical(Residual(384)), tmp_path / "run", qs.Sentences())
        source = rows(tmp_path / "talk.csv", [dict(zip(("text", "label"), pair, strict=True)) for pair in TALK])
        new = ["rain and storms", "a large pizza"]
        return Kind(tmp_path, tmp_path / "run", source, new, new, sorted(text for text, _ in TALK))
    qs.save(qs.Prototypical(MLP(3, (8,))), tmp_path / "run", TABLE)
    source = rows(tmp_path / "stones.csv", STONES)
    asked = [{"width": "8", "colour": "blue"}, {"width": "1", "colour": "green"}]
    names = [f"{source} row {i}" for i in (1, 2, 3)]
    return Kind(tmp_path, tmp_path / "run", source, [str(rows(tmp_path / "new.csv", asked))], asked, names)


def test_python_answers_what_the_command_line_prints(kind, cli):
    few = qs.load(kind.few)
    assert isinstance(few, qs.Classifier)
    said = json.loads(cli("predict", kind.few, *kind.new, "--json").out)
    assert (said["schema"], said["skipped"]) == (1, [])
    said = said["answers"]
    assert [one.summary() for one in few.answer(kind.new)] == said
    assert few.predict(kind.new) == [one["label"] for one in said]
    for things in (kind.python, [Path(p) for p in kind.new] if few.inputs.noun != "text" else kind.new):
        by_python = few.predict_proba(things)
        np.testing.assert_allclose(by_python, [list(one["probabilities"].values()) for one in said], atol=1e-6)


def test_the_examples_are_shown_by_name_also_after_save_and_load(kind, cli, tmp_path):
    out = tmp_path / "why.html"
    said = json.loads(cli("explain", kind.few, kind.new[0], "-o", out, "--json").out)
    assert sorted(Path(name).name for name in said["examples"]) == sorted(Path(name).name for name in kind.names)
    words = cli("explain", kind.few, kind.new[0]).out
    shown = out.read_text()
    assert "example 1" not in words + shown
    few = qs.load(kind.few)
    for item in few.items:
        picture = few.inputs.picture(item)
        assert escape(few.inputs.caption(item)[:60]) in shown
        assert (picture is not None) == (few.inputs.noun == "image")
    cards = shown.count('<div class="card"><img')
    assert cards == (len(few.items) if few.inputs.noun == "image" else 0)
    few.save(tmp_path / "again")
    assert [(i.name, few.inputs.keep(i)) for i in qs.load(tmp_path / "again").items] == [
        (i.name, few.inputs.keep(i)) for i in few.items
    ]


def test_the_estimator_fits_what_people_bring_by_a_run(kind):
    few = qs.load(kind.few)
    labelled = few.inputs.labelled(kind.source)
    X, y = [item.value for item, _ in labelled], [label for _, label in labelled]
    estimator = qs.FewShotClassifier(kind.run).fit(X, y)
    np.testing.assert_allclose(estimator.predict_proba(kind.python), few.predict_proba(kind.python), atol=1e-6)
    assert list(estimator.predict(kind.python)) == few.predict(kind.python)
    pieces = qs.FewShotClassifier(kind.run).fit(X[1:], y[1:]).partial_fit(X[:1], y[:1])
    np.testing.assert_allclose(pieces.predict_proba(kind.python), few.predict_proba(kind.python), atol=1e-6)


def test_the_estimator_needs_no_learner_for_rows_and_images(tmp_path):
    asked = [{"width": "8", "colour": "blue"}, {"width": "1", "colour": "green"}]
    some = [{name: row[name] for name in ("width", "colour")} for row in STONES]
    assert list(qs.FewShotClassifier().fit(some, list("aab")).predict(asked)) == ["b", "a"]
    data = draw_glyphs(range(2), 3)
    drawings = [Image.fromarray(255 - x[0].numpy()) for x in data.x]
    for i, drawing in enumerate(drawings):
        drawing.save(tmp_path / f"{i}.png")
    names = [str(tmp_path / f"{i}.png") for i in range(6)]
    for X in (drawings, names, [Path(name) for name in names]):
        assert list(qs.FewShotClassifier().fit(X, list("aaabbb")).predict(X)) == list("aaabbb")


def test_rows_are_learned_without_a_run(cli, tmp_path):
    source, new = rows(tmp_path / "few.csv", STONES), rows(tmp_path / "new.csv", [{"width": "8", "colour": "blue"}])
    assert "learned 2 classes of rows (a 2, b 1)" in cli("adapt", source, "-o", tmp_path / "sorter").out
    assert cli("predict", tmp_path / "sorter", new).out.split("\t")[1] == "b"
    assert cli("doctor", tmp_path / "sorter").code == 0


def test_sentences_are_learned_without_a_run(cli, tmp_path):
    pytest.importorskip("sentence_transformers")
    source = rows(tmp_path / "talk.csv", [dict(zip(("text", "label"), pair, strict=True)) for pair in TALK])
    assert "learned 2 classes of sentences (food 2, weather 2)" in cli("adapt", source, "-o", tmp_path / "desk").out
    new = ["is a storm coming", "I am hungry for pasta"]
    said = json.loads(cli("predict", tmp_path / "desk", *new, "--json").out)["answers"]
    assert [one["label"] for one in said] == ["weather", "food"]
    few = qs.FewShotClassifier().fit([text for text, _ in TALK], [label for _, label in TALK])
    assert list(few.predict(new)) == ["weather", "food"]
    np.testing.assert_allclose(few.predict_proba(new), [list(one["probabilities"].values()) for one in said], atol=1e-6)


def test_a_learner_is_loaded_as_a_learner():
    assert isinstance(qs.load("glyphs-proto"), qs.Prototypical)
    with pytest.raises(ModelError, match="is a learner without labels; make a classifier by `quickstudy adapt`"):
        qs.Classifier.load("glyphs-proto")
    with pytest.raises(ModelError, match="no model in 'nowhere'"):
        qs.load("nowhere")


@pytest.fixture
def counted(monkeypatch):
    """A classifier, and how many inputs went through its net, pass by pass."""
    sizes, forward = [], qs.Conv4.forward
    monkeypatch.setattr(qs.Conv4, "forward", lambda self, x: (sizes.append(len(x)), forward(self, x))[1])
    data = draw_glyphs(range(3), 8)
    few = qs.Classifier(qs.load("glyphs-proto"), qs.Images(), data)
    return few, sizes, data


@pytest.mark.parametrize("n", [1, 64, 65, 150])
def test_guarantees_cost_one_pass_a_batch_and_the_support_one(counted, n):
    few, sizes, data = counted
    x = data.x[torch.arange(n) % len(data.x)]
    assert len(list(few.answer(x, coverage=0.9, false_alarms=0.1))) == n
    assert sizes[0] == len(data.x)
    assert len(sizes) - 1 == math.ceil(n / 64)
    assert sum(sizes[1:]) == n


def test_explaining_embeds_the_support_once(counted):
    few, sizes, data = counted
    qs.explain(few, data.x[0])
    assert sum(size == len(data.x) for size in sizes) == 1
    assert sum(sizes) <= len(data.x) + 3 + 49  # the support, the input and its patches


@pytest.mark.parametrize(
    "command",
    ["adapt", "predict", "explain", "check", pytest.param("export", marks=pytest.mark.slow), "predict-python"],
)
def test_settings_are_read_once_a_command(kind, cli, tmp_path, monkeypatch, command):
    opened = []
    real = files.plain_file
    monkeypatch.setattr(files, "plain_file", lambda path, most: (opened.append(path), real(path, most))[1])
    call = {
        "adapt": lambda: cli("adapt", kind.run, kind.source, "-o", tmp_path / "out"),
        "predict": lambda: cli("predict", kind.few, *kind.new),
        "explain": lambda: cli("explain", kind.few, kind.new[0], "-o", tmp_path / "why.html"),
        "check": lambda: cli("check", kind.source, "--model", kind.run),
        "export": lambda: cli("export", kind.few, "-o", tmp_path / "few.onnx"),
        "predict-python": lambda: qs.load(kind.few).predict(kind.new),
    }
    call[command]()
    read = [path for path in opened if path.name == "config.json"]
    assert len(read) == 1, read


def test_a_bad_input_is_named(kind):
    few = qs.load(kind.few)
    bad = {"image": ["nowhere.png"], "text": ["x" * 10_001], "row": [{"width": "wide", "colour": ""}]}[few.inputs.noun]
    with pytest.raises(DataError) as caught:
        few.predict(bad)
    assert "\n" not in str(caught.value)
