"""Whatever a classifier's ``save`` writes, ``load`` reads with the same answers; a save that fails changes nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import quickstudy as qs
from quickstudy.errors import ModelError
from quickstudy.inputs.base import Item
from quickstudy.learners import Predictor
from quickstudy.learners.metric import nearest_mean
from quickstudy.models.folder import ModelFolder
from quickstudy.nets import MLP, Identity
from quickstudy.tasks.task import Examples
from tests.parsers import classifier as make

ODD = "\ud83d\ude00\udc80\0\n\u2028\U0001f600"
ANY = st.text(st.characters(codec=None, exclude_categories=()) | st.sampled_from(ODD), max_size=30)
"""Any text that Python can hold, lone surrogates too."""


def of_labels(labels: list[str], names: list[str] | None = None) -> qs.Classifier:
    """A classifier of one point a label, each with the name of its item."""
    x = torch.rand(len(labels), 2, generator=torch.Generator().manual_seed(0))
    items = [Item(name, row.numpy()) for name, row in zip(names or labels, x, strict=True)]
    data = qs.ClassDataset.from_labels(x, labels, items)
    return qs.Classifier(qs.Prototypical(Identity(2)), qs.Arrays((2,)), data)


def same(one: qs.Classifier, two: qs.Classifier) -> None:
    x = torch.rand(3, 2, generator=torch.Generator().manual_seed(1))
    assert one.labels == two.labels
    assert [item.name for item in one.items] == [item.name for item in two.items]
    assert np.array_equal(one.predict_proba(x), two.predict_proba(x))


@pytest.mark.slow
@given(labels=st.lists(ANY, min_size=2, max_size=8, unique=True), names=st.lists(ANY, min_size=8, max_size=8))
def test_labels_and_names_of_any_text_are_saved_and_loaded(labels, names, tmp_path_factory):
    folder = tmp_path_factory.mktemp("any")
    few = of_labels(labels, names[: len(labels)])
    few.save(folder)
    same(few, qs.Classifier.load(folder))


@pytest.mark.parametrize(
    "labels",
    [
        pytest.param(
            [f"class {i}" for i in range(10_000)], marks=pytest.mark.slow
        ),  # 100 million numbers of one-hot rows
        [c * 10_000 + str(i) for i, c in enumerate("aé漢\U0001f600" * 50)],
        ["x" * 2_000_000, "y"],
    ],
    ids=["10,000 classes", "200 labels of 10,000 characters", "a label of 2,000,000 characters"],
)
def test_many_classes_and_long_labels_are_saved_and_loaded(labels, tmp_path):
    few = of_labels(labels, ["name"] * len(labels))
    few.save(tmp_path / "few")
    same(few, qs.load(tmp_path / "few"))
    assert list(ModelFolder(tmp_path / "few").faults()) == []


def test_texts_that_differ_at_their_end_only_are_different_labels():
    assert of_labels(["a", "a\0", ""]).labels == ("", "a", "a\0")


@pytest.mark.parametrize(
    ("build", "says"),
    [
        (lambda: (qs.Arrays((2_000_000,)), {}), "shape"),
        (lambda: (qs.Arrays((2,)), {"note": "x" * 1_000_001}), r"config\.json would have .* at most 1000000"),
    ],
    ids=["inputs out of range", "a config without end"],
)
def test_what_could_not_be_loaded_is_not_saved(build, says, tmp_path):
    inputs, entries = build()
    with pytest.raises(ModelError, match=says):
        ModelFolder(tmp_path / "deep" / "few").write(qs.Prototypical(MLP(2, (4,))), inputs, **entries)
    assert list(tmp_path.iterdir()) == []


class RandomHead(qs.Learner):
    """Nearest means of random features, which are drawn in each task."""

    def __init__(self, net: torch.nn.Module) -> None:
        super().__init__()
        self.net = net

    def adapt(self, support: Examples) -> Predictor:
        w = torch.randn(support.x.shape[1], 16).to(support.x)
        compare = nearest_mean(Examples(torch.relu(support.x @ w), support.y))
        return lambda x: compare(torch.relu(x @ w))


def test_a_learner_that_draws_in_adapt_answers_the_same_when_it_is_loaded(tmp_path):
    qs.LEARNERS.register("random-head", RandomHead)
    x, new = (torch.randn(n, 2, generator=torch.Generator().manual_seed(n)) for n in (12, 30))
    few = qs.Classifier(RandomHead(Identity(2)), qs.Arrays((2,)), qs.ClassDataset.from_labels(x, [0, 1, 2] * 4))
    few.save(tmp_path / "few")
    before = torch.get_rng_state()
    again = qs.Classifier.load(tmp_path / "few")
    assert np.array_equal(again.predict_proba(new), few.predict_proba(new))
    assert torch.equal(again.left_out(), few.left_out())
    one, two = (qs.explain(each, new[0]) for each in (few, again))
    assert np.array_equal(one.influence, two.influence)
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    learner = qs.Prototypical(MLP(2, (4,)))
    next(learner.parameters()).data[0] = torch.nan
    with pytest.raises(ModelError, match=r"'net\.layers\.0\.weight' holds NaN or infinity"):
        qs.save(learner, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


CALLS = [(os, "fsync"), (os, "replace"), (Path, "rename"), (Path, "mkdir"), (Path, "open")]


@pytest.mark.parametrize("there", [False, True], ids=["a new folder", "a classifier there"])
@pytest.mark.parametrize("call", [*range(1, 9), 12, 15])
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=[name for _, name in CALLS])
def test_a_save_that_fails_at_any_call_leaves_the_old_one_or_the_new_one(
    tmp_path, monkeypatch, owner, name, call, there
):
    old, new, folder = of_labels(["a", "b"]), of_labels(["c", "d", "e"]), tmp_path / "deep" / "few"
    if there:
        old.save(folder)
        (folder / "notes.txt").write_text("mine")
    real, calls = getattr(owner, name), 0

    def fails(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(28, "No space left on device")
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, fails)
    try:
        new.save(folder)
        failed = False
    except OSError:
        failed = True
    monkeypatch.undo()
    assert failed == (calls >= call)
    if failed and not folder.exists():
        assert not there
        assert list(tmp_path.iterdir()) == []
        return
    again = qs.Classifier.load(folder)
    same(again, new if again.labels == new.labels else old)
    assert there or again.labels == new.labels
    assert list(ModelFolder(folder).faults()) == []
    assert not list(folder.glob(".*"))
    if there:
        assert (folder / "notes.txt").read_text() == "mine"


KILLS = """
import os, shutil, signal, sys
from pathlib import Path
import torch
import quickstudy as qs
from quickstudy.io import files
from quickstudy.models.folder import ModelFolder
from tests.classify.test_saving import of_labels

what, folder = sys.argv[1], Path(sys.argv[2])
acts = {"save": lambda: of_labels(["c", "d", "e"]).save(folder), "amend": lambda: ModelFolder(folder).amend(note=2)}
PLACES = [(os, "fsync"), (os, "replace"), (Path, "rename"), (Path, "mkdir"), (Path, "rmdir"), (Path, "open")]

def dies(last):
    calls = 0
    def counted(real):
        def call(*arguments, **named):
            nonlocal calls
            calls += 1
            if calls == last:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*arguments, **named)
        return call
    for owner, name in PLACES:
        setattr(owner, name, counted(getattr(owner, name)))

torch.set_num_threads(1)
old = folder.with_name("old")
of_labels(["a", "b"]).save(old)
ModelFolder(old).amend(note=1)
for last in range(1, 1000):
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(old, folder)
    child = os.fork()
    if not child:
        dies(last)
        acts[what]()
        os._exit(0)
    _, status = os.waitpid(child, 0)
    model = ModelFolder(folder)
    assert list(model.faults()) == []
    few = qs.Classifier.load(model)
    print(few.labels, model.config.get("note"), len(few.predict(torch.rand(4, 2))))
    if not os.WIFSIGNALED(status):
        assert os.WEXITSTATUS(status) == 0
        break
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("what", "before", "after"),
    [
        ("save", "('a', 'b') 1 4", "('c', 'd', 'e') None 4"),
        ("amend", "('a', 'b') 1 4", "('a', 'b') 2 4"),
    ],
)
def test_a_process_killed_at_any_call_leaves_the_old_one_or_the_new_one(tmp_path, what, before, after):
    command = [sys.executable, "-c", KILLS, what, str(tmp_path / "few")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    n = lines.count(before)
    assert lines == [before] * n + [after] * (len(lines) - n)
    assert n > 5
    assert len(lines) - n > 3


def test_a_journal_that_is_a_link_is_not_followed(tmp_path):
    make(tmp_path / "few")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "config.json").write_text(json.dumps({"format": 1}))
    (tmp_path / "few" / ".journal").symlink_to(tmp_path / "elsewhere")
    assert isinstance(qs.load(tmp_path / "few"), qs.Classifier)
    assert (tmp_path / "elsewhere" / "config.json").exists()
