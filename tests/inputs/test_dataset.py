import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.errors import DataError
from quickstudy.inputs.dataset import ClassDataset, rotated_classes
from quickstudy.tasks.episodes import Episodes

LAW = settings(max_examples=60, deadline=None)
LABELS = st.one_of(
    st.lists(st.integers(-5, 99), min_size=1, max_size=12),
    st.lists(st.text("abcé ", min_size=1, max_size=3), min_size=1, max_size=12),
    st.lists(st.sampled_from([3, 7]), min_size=1, max_size=12),
)


@LAW
@given(labels=LABELS)
def test_any_labels_group_examples_without_losing_one(labels):
    data = ClassDataset.from_labels(torch.arange(len(labels)), labels)
    assert sorted(data.x.tolist()) == list(range(len(labels)))
    assert set(data.names) == {str(label) for label in labels}
    assert all(data.names[int(k)] == str(labels[int(row)]) for row, k in zip(data.x, data.y, strict=True))
    for k in range(data.n_classes):
        own = data.x[data.starts[k] : data.starts[k] + data.counts[k]].tolist()
        assert own == [row for row, label in enumerate(labels) if str(label) == data.names[k]]


@pytest.mark.parametrize("labels", [[3, 7, 3, 7], np.array([3, 7, 3, 7]), torch.tensor([3, 7, 3, 7]), list("acac")])
def test_labels_need_not_run_from_0(labels):
    data = ClassDataset.from_labels(torch.tensor([[0.0], [1.0], [0.0], [1.0]]), labels)
    task = Episodes(data, 2, 1, 1).sample(0, 20)
    for part in task:  # the pixel says which class it is: the same position in support and query
        assert part.y.shape[-1] == 2
    assert torch.equal(task.support.y[task.support.x[..., 0] == 1], task.query.y[task.query.x[..., 0] == 1])


@LAW
@given(counts=st.lists(st.integers(1, 4), min_size=1, max_size=6), seed=st.integers(0, 99))
def test_a_selection_holds_the_examples_of_its_classes_in_the_order_asked(counts, seed):
    y = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    data = ClassDataset(10 * y + 1, y, tuple(map(str, range(len(counts)))))
    chosen = np.random.default_rng(seed).permutation(len(counts))[: 1 + seed % len(counts)]
    part = data.select(chosen)
    assert part.names == tuple(str(c) for c in chosen)
    assert part.counts.tolist() == [counts[c] for c in chosen]
    assert torch.equal(part.x, 10 * torch.from_numpy(chosen)[part.y] + 1)


def test_a_selection_may_be_empty():
    data = ClassDataset.from_labels(torch.zeros(2, 3), list("ab")).select([])
    assert data.n_classes == len(data.x) == 0


def test_rotated_classes_are_every_class_turned_four_times():
    x = torch.arange(3 * 4).view(3, 1, 2, 2)
    data = rotated_classes(ClassDataset.from_labels(x, list("aab")))
    assert data.names == ("a", "b", "a@90", "b@90", "a@180", "b@180", "a@270", "b@270")
    assert data.counts.tolist() == [2, 1] * 4
    for k in range(4):
        assert torch.equal(data.x[3 * k : 3 * k + 3], torch.rot90(x, k, (-2, -1)))


@pytest.mark.parametrize(
    ("x", "y", "names", "says"),
    [
        (torch.zeros(3), [0, 1], "ab", "3 inputs but 2 labels"),
        (torch.zeros(2), [0, 1], "aa", "two classes are named 'a'"),
        (torch.zeros(2), [0, 2], "abc", "every class needs examples"),
        (torch.zeros(2), [0, 1], "abc", "every class needs examples"),
        (torch.zeros(2), [0, 1], "a", "1 class names"),
        (torch.zeros(2), [1, 0], "ab", "labels are not in ascending order"),
        (torch.tensor([[0.0], [torch.nan]]), [0, 1], "ab", "row 1 .class 'b'. holds NaN or infinity"),
        (torch.tensor([[torch.inf], [0.0]]), [0, 1], "ab", "row 0 .class 'a'. holds NaN or infinity"),
    ],
)
def test_bad_data_is_refused_in_one_line(x, y, names, says):
    with pytest.raises(DataError, match=says) as caught:
        ClassDataset(x, torch.tensor(y), tuple(names))
    assert "\n" not in str(caught.value)


def test_lengths_that_differ_are_refused_before_they_are_sorted():
    with pytest.raises(DataError, match="3 inputs but 2 labels"):
        ClassDataset.from_labels(torch.zeros(3), [0, 1])


def test_another_device_holds_the_same_data():
    data = ClassDataset.from_labels(torch.zeros(2, 3, dtype=torch.uint8), list("ab"))
    moved = data.to("meta")
    assert moved.x.device.type == "meta"
    assert moved.names == data.names


@pytest.mark.parametrize(
    ("labels", "says"),
    [
        ([None, "a"], "label 0 is None, but others are strings; give labels of one type"),
        (["a", 1], "label 1 is 1, but others are strings; give labels of one type"),
        (np.array(["1", 1], object), "label 1 is 1, but others are strings"),
        (["a", np.nan], "label 1 is nan, but others are strings"),
        ([1, None], "label 1 is None; give that input a class or leave it out"),
        ([1.0, np.nan], "label 1 is nan; give that input a class or leave it out"),
        ([None, None], "label 0 is None"),
        ([(1, 2), (1, 3)], r"label 0 is \(1, 2\), but one number or string per input is needed; give numbers"),
        ([(1, 2), (1,)], r"label 0 is \(1, 2\), but one number or string"),
        (torch.eye(2), r"label 0 is .*, but one number .* labels.argmax\(1\) of one-hot rows$"),
        (np.eye(2), r"label 0 is \[1. 0.\], but one number .* labels.argmax\(1\) of one-hot rows$"),
        (list(torch.eye(2)), "label 0 is .*, but one number"),
        (np.array([1, b"a"], object), "labels of type bytes, int cannot be compared; give strings or numbers"),
    ],
)
def test_labels_that_are_no_classes_are_refused_in_one_line(labels, says):
    with pytest.raises(DataError, match=says) as caught:
        ClassDataset.from_labels(torch.zeros(2, 3), labels)
    assert "\n" not in str(caught.value)


def test_a_number_is_one_class_in_every_form():
    data = ClassDataset.from_labels(torch.arange(6), [0, 1.0, False, True, np.int64(0), np.float32(1)])
    assert data.n_classes == 2
    assert data.x.tolist() == [0, 2, 4, 1, 3, 5]
