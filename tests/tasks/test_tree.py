"""Trees of tensors, and what the package relies on in torch's private functions for them."""

import torch

from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import concatenated, leaves, mapped, rows, tree_flatten, tree_iter, tree_map, tree_unflatten

X = torch.arange(3.0)
TREE = {"b": (X, X + 1), "a": [X + 2]}


def test_a_tree_is_flattened_in_order_and_made_again():
    flat, spec = tree_flatten(TREE)
    assert all(t is u for t, u in zip(flat, [TREE["b"][0], TREE["b"][1], TREE["a"][0]], strict=True))
    again = tree_unflatten([0, 1, 2], spec)
    assert again == {"b": (0, 1), "a": [2]}
    assert all(t is u for t, u in zip(leaves(TREE), flat, strict=True))
    assert all(t is u for t, u in zip(tree_iter(TREE), flat, strict=True))


def test_another_dictionary_is_flattened_in_the_order_of_the_first():
    _, spec = tree_flatten({"b": 1, "a": (2, 3)})
    assert spec.flatten_up_to({"a": (5, 6), "b": 4}) == [4, 5, 6]


def test_named_tuples_keep_their_type():
    task = Task(Examples(X, X), Examples(X, X))
    moved = tree_map(lambda t: t + 1, task)
    assert isinstance(moved, Task)
    assert isinstance(moved.query, Examples)
    assert torch.equal(moved.query.y, X + 1)


def test_several_trees_are_mapped_together():
    assert torch.equal(tree_map(torch.add, TREE, TREE)["a"][0], 2 * (X + 2))
    assert torch.equal(concatenated(TREE, TREE)["b"][1], torch.cat([X + 1, X + 1]))


def test_a_single_tensor_is_a_tree():
    assert leaves(X)[0] is X
    assert torch.equal(mapped(torch.neg, X), -X)
    assert torch.equal(rows(X, slice(1, None)), X[1:])
