"""Changes of a classifier: more examples, fewer, and other labels."""

import numpy as np
import pytest
import torch

from quickstudy.classify.classifier import Classifier
from quickstudy.classify.edit import kind_of_values, learned, relabelled, with_more, without
from quickstudy.errors import DataError
from quickstudy.inputs.base import Item
from quickstudy.inputs.images import Images


def pairs(**widths):
    return [(Item(f"{label} {w}", {"width": w}), label) for label, ws in widths.items() for w in ws]


@pytest.fixture
def few():
    return learned(pairs(small=[1, 2], large=[9, 8]))


def test_more_examples_and_fewer(few):
    more = with_more(few, pairs(middle=[5], small=[0]))
    assert dict(zip(more.labels, more.data.counts.tolist(), strict=True)) == {"large": 2, "middle": 1, "small": 3}
    row = [item.name for item in more.items].index("middle 5")
    less = without(more, [row])
    assert less.labels == ("large", "small")
    assert "middle 5" not in [item.name for item in less.items]
    np.testing.assert_array_equal(
        with_more(few, pairs(small=[0])).predict_proba([{"width": 3}]), less.predict_proba([{"width": 3}])
    )


def test_another_label(few):
    changed = relabelled(few, 0, "huge")
    assert changed.labels == ("huge", "large", "small")
    assert changed.items[0].name == few.items[0].name
    assert few.labels == ("large", "small")


def test_one_class_is_no_choice(few):
    with pytest.raises(DataError, match="0 class"):
        learned([])
    with pytest.raises(DataError, match="1 class"):
        learned(pairs(small=[1, 2]))
    with pytest.raises(DataError, match="1 class would be left"):
        without(few, [0, 1])
    with pytest.raises(DataError, match="1 class would be left"):
        relabelled(learned(pairs(a=[1], b=[2])), 0, "b")


def test_pictures_as_bytes_hold_small_copies(pictures):
    paths = [next(folder.iterdir()) for folder in sorted(pictures.iterdir())[:3]]
    contents = [path.read_bytes() for path in paths]
    assert kind_of_values(contents) is Images
    classifier = learned(
        [(Item(path.name, content), path.parent.name) for path, content in zip(paths, contents, strict=True)]
    )
    assert all(isinstance(item.value, bytes) for item in classifier.items)
    assert torch.equal(classifier.data.x, classifier.inputs.encode(classifier.inputs.items(paths)))


def test_what_is_saved_answers_alike(few, tmp_path):
    few.save(tmp_path / "few")
    rows = [{"width": w} for w in (0, 4, 7)]
    np.testing.assert_array_equal(Classifier.load(tmp_path / "few").predict_proba(rows), few.predict_proba(rows))


def test_values_of_no_kind():
    assert kind_of_values([object()]) is None
    with pytest.raises(DataError, match="no known kind"):
        learned([(Item("a", object()), "a"), (Item("b", object()), "b")])
