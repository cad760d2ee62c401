"""Models that are shared: a card of the run, nothing private, and the same answers on the other side."""

import json
import shutil
from pathlib import Path

import huggingface_hub
import pytest
import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.load import load
from quickstudy.errors import ModelError
from quickstudy.inputs.base import Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.images import Images
from quickstudy.learners import Learner
from quickstudy.models.folder import ModelFolder
from quickstudy.runs.run import Run
from quickstudy.sharing.hub import card, from_pretrained, push_to_hub, save_pretrained
from quickstudy.tasks.glyphs import draw_glyphs


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A Hub that is a folder."""
    there = tmp_path / "hub"

    class Api:
        def create_repo(self, name, *, private, exist_ok):
            (there / name).mkdir(parents=True, exist_ok=exist_ok)

        def upload_folder(self, *, repo_id, folder_path, commit_message):
            shutil.copytree(folder_path, there / repo_id, dirs_exist_ok=True)

    def download(name, *, local_dir, allow_patterns):
        if not (there / name).exists():
            raise OSError("404: no such\nrepository")
        for path in (there / name).iterdir():
            if path.name in allow_patterns:
                local_dir.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, local_dir)

    monkeypatch.setattr(huggingface_hub, "HfApi", Api)
    monkeypatch.setattr(huggingface_hub, "snapshot_download", download)
    monkeypatch.setenv("QUICKSTUDY_CACHE", str(tmp_path / "cache"))
    return there


def test_what_was_pushed_answers_the_same_from_the_hub(hub, run):
    assert push_to_hub(run, "me/mine") == "https://huggingface.co/me/mine"
    ours, theirs = load(run), from_pretrained("me/mine")
    assert isinstance(theirs, Learner)
    for (name, a), (other, b) in zip(ours.state_dict().items(), theirs.state_dict().items(), strict=True):
        assert name == other
        assert torch.equal(a, b)


def test_a_classifier_comes_back_with_its_labels(hub, tmp_path):
    data = draw_glyphs(range(3), 2)
    classifier = Classifier(load("glyphs-proto"), Images(), data)
    classifier.save(tmp_path / "three")
    push_to_hub(tmp_path / "three", "me/three")
    again = from_pretrained("me/three")
    assert isinstance(again, Classifier)
    assert again.labels == classifier.labels
    assert again.predict(data.x) == classifier.predict(data.x)


def test_the_card_is_filled_in_from_the_run_and_tells_no_paths(run, tmp_path):
    save_pretrained(run, tmp_path / "out")
    told = (tmp_path / "out" / "README.md").read_text()
    record = json.loads((run / "run.json").read_text())
    best = max(
        line["validation"]["mean"]
        for line in map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
        if "validation" in line
    )
    assert f"accuracy {100 * best:.2f} ±" in told
    assert "inductive; it chose the weights" in told
    assert record["settings"]["data"] in told
    assert record["versions"]["quickstudy"] in told
    for path in (tmp_path / "out").iterdir():
        assert str(Path(record["settings"]["data_root"])).encode() not in path.read_bytes()
    assert {path.name for path in (tmp_path / "out").iterdir()} >= {"config.json", "model.safetensors", "seal.json"}


def test_the_card_of_the_shipped_weights_says_how_to_use_them():
    told = card(Run("glyphs-proto"))
    assert "glyphs" in told
    assert "on 5-way 1-shot validation tasks" in told
    code = told.partition("```python\n")[2].partition("```")[0].replace("NAME", '"glyphs-proto"')
    data = draw_glyphs(range(3), 4)
    names = {"X": data.x, "y": data.y, "X_new": data.x[:2]}
    exec(compile(code, "card", "exec"), names)


def test_what_is_nowhere_is_refused_in_a_line(hub):
    for name in ("me/other", "nowhere"):
        with pytest.raises(ModelError) as caught:
            from_pretrained(name)
        assert "\n" not in str(caught.value)


def test_a_damaged_model_is_not_shared(run, tmp_path):
    shutil.copytree(run, tmp_path / "run")
    path = tmp_path / "run" / "model.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ModelError):
        save_pretrained(tmp_path / "run", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_examples_are_shared_only_where_asked(tmp_path):
    """They are what a person brought: names of files, small pictures, sentences or rows."""
    data = draw_glyphs(range(2), 2)
    items = tuple(Item(f"/home/me/secret/{i}.png", x.numpy()) for i, x in enumerate(data.x))
    classifier = Classifier(load("glyphs-proto"), Images(), ClassDataset(data.x, data.y, data.names, items))
    classifier.save(tmp_path / "few")
    save_pretrained(tmp_path / "few", tmp_path / "plain")
    save_pretrained(tmp_path / "few", tmp_path / "whole", examples=True)
    for name, shared in (("plain", False), ("whole", True)):
        files = {path.name: path.read_bytes() for path in (tmp_path / name).iterdir()}
        assert ("examples.safetensors" in files) == shared
        assert any(b"secret" in content for content in files.values()) == shared
        again = Classifier.load(tmp_path / name)
        assert again.predict(data.x) == classifier.predict(data.x)
        assert [item.name for item in again.items] == (
            [item.name for item in items] if shared else [f"example {i}" for i in range(1, 5)]
        )
        assert list(ModelFolder(tmp_path / name).faults()) == []


def test_a_card_says_how_an_input_is_made():
    assert f"| takes | images. {Images().recipe} |" in card(Run("glyphs-proto"))
