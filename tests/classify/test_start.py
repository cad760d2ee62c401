"""Laws of the starting point of a classifier: when its inputs are fitted, and to which examples."""

import torch

from quickstudy.classify.start import Start
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Item
from quickstudy.inputs.tables import Table
from quickstudy.learners import Prototypical
from quickstudy.nets import MLP, Identity

OLD = [Item("1", {"x": 1.0, "kind": "a"}), Item("2", {"x": 3.0, "kind": "b"})]
NEW = [*OLD, Item("3", {"x": 8.0, "kind": "c"})]


def test_inputs_fitted_to_the_old_examples_are_fitted_to_the_new():
    table = Table.fitted(OLD)
    start = Start(Prototypical(Identity(table.shape[0])), table)
    assert [start.is_fitted(items) for items in (OLD, NEW)] == [True, False]
    later = start.refitted(OLD, NEW)
    assert later.inputs == Table.fitted(NEW)
    assert later.learner.net.out_features == later.inputs.shape[0] == table.shape[0] + 1
    assert start.learner.net.out_features == table.shape[0]


def test_inputs_of_other_examples_or_of_a_trained_net_stay():
    table = Table.fitted(OLD)
    other = Start(Prototypical(Identity(table.shape[0])), table)
    assert other.refitted(NEW, OLD) is other
    trained = Start(Prototypical(MLP(table.shape[0], (4,))), table)
    assert trained.is_fitted(OLD) is None
    assert trained.refitted(OLD, NEW) is trained
    arrays = Start(Prototypical(Identity(2)), Arrays((2,)))
    items = [Item("1", torch.zeros(2))]
    assert arrays.refitted(items, items) is arrays
