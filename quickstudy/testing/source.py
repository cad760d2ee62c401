"""Laws that every source of classes keeps."""

from __future__ import annotations

from itertools import combinations

import torch

from quickstudy.tasks.source import ClassSource


def check_source(source: ClassSource) -> None:
    """Hold a source of classes to its laws.

    Classes of the train, validation and test sets never meet. Examples have the shape of its inputs, and the inputs
    are of the kind that it names. Loading it again gives the same, and it has a class to test on.

    Args:
        source: Source that loads classes; it is loaded twice.

    Raises:
        AssertionError: A law is broken; the message says which.

    >>> from quickstudy.tasks.digits import Digits
    >>> check_source(Digits())
    """
    splits, inputs = source.load()
    assert isinstance(inputs, source.kind), f"load gives {type(inputs).__name__}, kind is {source.kind.__name__}"
    for (one, a), (other, b) in combinations(splits._asdict().items(), 2):
        common = sorted(set(a.names) & set(b.names))
        assert not common, f"class {common[0]!r} is in {one} and in {other}"
    for name, data in splits._asdict().items():
        shape = tuple(data.x.shape[1:])
        assert shape == inputs.shape, f"examples of {name} have shape {shape}, inputs make {inputs.shape}"
    assert splits.test.n_classes, "there is no class to test on"
    again = source.load().splits
    for name, a, b in zip(splits._fields, splits, again, strict=True):
        same = a.names == b.names and torch.equal(a.x, b.x) and torch.equal(a.y, b.y)
        assert same, f"loading {name} again gives something else"
    assert source.about, "about is empty; say in a few words what the source is"
