"""Advice finds what was planted, and is silent where nothing is wrong."""

from collections import Counter

import numpy as np
import pytest
import torch

from quickstudy import Arrays, ClassDataset, Classifier, Identity, Prototypical, load
from quickstudy.classify.advice import confusable, duplicates, next_to_label, spellings, suspects, unbalanced
from quickstudy.errors import SettingError
from quickstudy.inputs.images import Images
from quickstudy.tasks.digits import digits
from quickstudy.tasks.glyphs import draw_glyphs

LEARNER, IMAGES = load("glyphs-proto"), Images()


def clean(seed, n_classes=5, per_class=5):
    classes = np.random.default_rng(seed).choice(50_000, n_classes, replace=False) + 900_000
    return draw_glyphs(classes.tolist(), per_class)


def relabelled(data, row, to):
    labels = [data.names[c] for c in data.y.tolist()]
    labels[row] = data.names[to]
    return ClassDataset.from_labels(data.x, labels)


@pytest.mark.parametrize("seed", range(5))
def test_a_planted_wrong_label_is_the_first_suspect(seed):
    data = clean(seed)
    few = Classifier(LEARNER, IMAGES, relabelled(data, 0, 3))
    first = suspects(few)[0]
    assert torch.equal(few.data.x[first.row], data.x[0])
    assert (first.label, first.better) == (data.names[3], data.names[0])
    assert first.probability > 0.5


def test_clean_sets_raise_hardly_an_alarm():
    few = [Classifier(LEARNER, IMAGES, clean(seed)) for seed in range(10, 20)]
    assert sum(len(suspects(one)) for one in few) <= 5  # of 250 examples
    assert all(duplicates(one) == [] for one in few)
    assert sum(len(confusable(one)) for one in few) <= 3


def test_small_pictures_of_one_digit_are_alike_and_no_copies():
    data = digits()
    rows = torch.arange(0, len(data.x), 9)
    few = Classifier(LEARNER, IMAGES, ClassDataset.from_labels(data.x[rows], data.y[rows].tolist()))
    assert duplicates(few) == []


def test_a_planted_copy_is_found():
    data = clean(1)
    x = data.x.clone()
    x[7] = x[5]
    x[12] = (x[10].float() * 0.97).to(torch.uint8)
    found = duplicates(Classifier(LEARNER, IMAGES, ClassDataset(x, data.y, data.names)))
    assert [tuple(pair) for pair in found] == [(5, 7, True), (10, 12, False)]


def test_of_many_copies_each_is_named_once():
    x = torch.tensor([[0.0], [0.0], [0.01], [5.0], [9.0], [9.0], [20.0], [30.0]])
    few = Classifier(Prototypical(Identity(1)), Arrays((1,)), ClassDataset.from_labels(x, list("aaaabbbb")))
    assert [tuple(pair) for pair in duplicates(few)] == [(0, 1, True), (0, 2, False), (4, 5, True)]


def test_classes_that_are_one_are_confusable():
    data = draw_glyphs([900_001, 900_002, 900_003], 10)
    y = data.y.clone()
    y[5:10], y[10:] = 1, y[10:] + 1  # the first class, cut in two
    few = Classifier(LEARNER, IMAGES, ClassDataset(data.x, y, ("one", "one again", "two", "three")))
    (pair,) = confusable(few)
    assert {pair.first, pair.second} == {"one", "one again"}
    assert pair.probability > 0.3


def test_an_only_example_is_not_judged():
    data = clean(3, per_class=1)
    few = Classifier(LEARNER, IMAGES, data)
    assert suspects(few) == confusable(few) == duplicates(few) == []


def test_rare_labels_are_named():
    assert unbalanced(Counter(a=3, b=10, c=2, d=4)) == ["c", "a"]
    assert unbalanced(Counter(a=5, b=5)) == unbalanced(Counter()) == []


def test_labels_in_several_spellings_are_found():
    two_forms = "caf\u00e9", "cafe\u0301"
    labels = ["Lotus", "lotus", " lotus", "late_bus", "late-bus", "bus late", "C", "C++", "a1", "a2", *two_forms]
    groups = {frozenset(group) for group in spellings(labels)}
    assert groups == {
        frozenset(["Lotus", "lotus", " lotus"]),
        frozenset(["late_bus", "late-bus"]),
        frozenset(two_forms),
    }
    assert spellings(["Lotus", "Lotus"]) == spellings([]) == []


def test_order_of_the_examples_is_nothing():
    data = relabelled(clean(4), 2, 1)
    order = torch.cat(
        [
            torch.randperm(int(n), generator=torch.Generator().manual_seed(0)) + s
            for n, s in zip(data.counts, data.starts, strict=True)
        ]
    )
    one, two = (
        Classifier(LEARNER, IMAGES, ClassDataset(data.x[rows], data.y, data.names))
        for rows in (torch.arange(len(data.x)), order)
    )
    a, b = suspects(one), suspects(two)
    assert [s.row for s in a] == [int(order[s.row]) for s in b]
    np.testing.assert_allclose([s.probability for s in a], [s.probability for s in b], atol=1e-4)


def test_what_is_labelled_next_covers_the_classes():
    picked, random = [], []
    for seed in range(20):
        data = clean(seed, n_classes=8, per_class=8)
        pool = Classifier(LEARNER, IMAGES, data).embed(data.x.float() / 255).numpy()
        picked.append(len(set(data.y[next_to_label(None, pool, 8)].tolist())))
        random.append(len(set(data.y[np.random.default_rng(seed).choice(64, 8, replace=False)].tolist())))
    assert np.mean(picked) > np.mean(random) + 1
    data = clean(0, n_classes=4, per_class=6)
    known = Classifier(LEARNER, IMAGES, data.select([0, 1]))
    pool = known.embed(data.x.float() / 255).numpy()
    assert set(data.y[next_to_label(known, pool, 2)].tolist()) == {2, 3}
    with pytest.raises(SettingError, match=r"n=25 is not between 1 and .*; give 1 to 24"):
        next_to_label(None, pool, 25)
