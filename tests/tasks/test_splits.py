import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from quickstudy.errors import NotEnoughClasses
from quickstudy.inputs.dataset import ClassDataset, rotated_classes
from quickstudy.tasks.splits import split_classes


def alphabet(n: int) -> ClassDataset:
    labels = [f"character {k:02}" for k in range(n) for _ in range(k % 3 + 1)]
    values = torch.tensor([float(label.split()[1]) for label in labels])
    return ClassDataset.from_labels(values.view(-1, 1, 1, 1).expand(-1, 1, 2, 2), labels)


@settings(max_examples=60, deadline=None)
@given(
    sizes=st.tuples(*[st.integers(0, 8)] * 3), spare=st.integers(0, 4), seed=st.one_of(st.none(), st.integers(0, 99))
)
def test_splits_have_their_sizes_share_no_class_and_lose_no_example(sizes, spare, seed):
    if sum(sizes) + spare == 0:
        return
    data = alphabet(sum(sizes) + spare)
    splits = split_classes(data, sizes, seed)
    assert tuple(part.n_classes for part in splits) == sizes
    names = [name for part in splits for name in part.names]
    assert len(set(names)) == len(names)
    for part in splits:
        for k, name in enumerate(part.names):
            assert part.counts[k] == data.counts[data.names.index(name)]
            assert (part.x[part.y == k] == int(name.split()[1])).all()


def test_a_split_depends_on_its_seed_alone_and_none_keeps_the_order():
    data = alphabet(20)
    again, other, ordered = (split_classes(data, (10, 4, 6), seed) for seed in (0, 1, None))
    assert [part.names for part in split_classes(data, (10, 4, 6))] == [part.names for part in again]
    assert again.test.names != other.test.names
    assert ordered.train.names + ordered.validation.names + ordered.test.names == data.names


def test_a_character_and_its_rotations_stay_on_one_side():
    splits = split_classes(alphabet(9), (5, 2, 2))
    characters = [{name.split("@")[0] for name in rotated_classes(part).names} for part in splits]
    assert [len(each) for each in characters] == [5, 2, 2]
    assert not characters[0] & characters[1]
    assert not characters[0] & characters[2]
    assert not characters[1] & characters[2]


def test_more_classes_than_there_are_is_refused_in_one_line():
    with pytest.raises(NotEnoughClasses, match="4/2/2 classes needs 8, but there are 7") as caught:
        split_classes(alphabet(7), (4, 2, 2))
    assert "\n" not in str(caught.value)
