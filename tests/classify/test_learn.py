"""Classifiers from labelled examples, from Python: with a run, without one, and one that learns more."""

import numpy as np
import pytest

import quickstudy as qs
from quickstudy.classify.learn import kind_of
from quickstudy.errors import DataError, ModelError, SettingError
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table


@pytest.fixture
def stones(tmp_path):
    path = tmp_path / "stones.csv"
    path.write_text("width,label\n1,a\n1.5,a\n9,b\n")
    return path


def test_the_kind_is_told_by_the_source(tmp_path, stones):
    (tmp_path / "talk.jsonl").write_text('{"text": "hello", "label": "greeting"}\n')
    (tmp_path / "notes.txt").write_text("text")
    (tmp_path / "mine" / "cats").mkdir(parents=True)
    (tmp_path / "mine" / "cats" / "tom.png").touch()
    kinds = [kind_of(path) for path in (tmp_path / "mine", tmp_path / "talk.jsonl", stones)]
    assert kinds == [Images, Sentences, Table]
    with pytest.raises(DataError, match=r"notes\.txt' is not a source of examples; give a folder of class"):
        kind_of(tmp_path / "notes.txt")


def test_what_is_written_answers_as_what_is_returned(tmp_path, stones):
    few = qs.adapt(stones, out=tmp_path / "few")
    new = [{"width": "8"}, {"width": "0"}]
    assert few.predict(new) == ["b", "a"]
    assert np.array_equal(qs.load(tmp_path / "few").predict_proba(new), few.predict_proba(new))
    with pytest.raises(SettingError, match="exists already"):
        qs.adapt(stones, out=tmp_path / "few")


def test_a_classifier_learns_more_by_columns_that_are_measured_again_and_keeps_every_example(tmp_path, stones):
    few = qs.adapt(stones, out=tmp_path / "few")
    more = tmp_path / "more.csv"
    more.write_text("width,label\n100,c\n1.2,a\n")
    wider = qs.adapt(more, tmp_path / "few")
    assert wider.labels == ("a", "b", "c")
    assert few.inputs != wider.inputs == few.inputs.refitted(wider.items)
    assert sorted(item.name for item in wider.items) == sorted(
        [*(f"{stones} row {i}" for i in (1, 2, 3)), *(f"{more} row {i}" for i in (1, 2))]
    )
    assert wider.forget("c").labels == ("a", "b")


def test_a_run_that_takes_another_kind_is_refused(stones, sinusoid):
    with pytest.raises(DataError, match="cannot be read: Not a directory"):
        qs.adapt(stones, "glyphs-proto")
    with pytest.raises(ModelError, match="was not trained on photos, images, sentences, table, arrays"):
        qs.adapt(stones, sinusoid)
