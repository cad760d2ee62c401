"""Episodes of any torch dataset: read once, lazily, and the same as from memory."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch.utils.data import Dataset, IterableDataset, TensorDataset

import quickstudy as qs
from quickstudy.errors import DataError, NotEnoughExamples, SettingError
from quickstudy.tasks.items import labels_of

LABELS = ["dog", "cat", "cow", "cat", "dog", "cow", "cat", "dog", "cow"]


class Pictures(Dataset):
    """Counts what is read."""

    def __init__(self, *, targets: bool = False) -> None:
        self.x = torch.rand(9, 3, 4, 4, generator=torch.Generator().manual_seed(0))
        self.read: list[int] = []
        if targets:
            self.targets = LABELS

    def __len__(self) -> int:
        return len(LABELS)

    def __getitem__(self, i: int):
        self.read.append(i)
        return self.x[i], LABELS[i]


class Digits(Dataset):
    """Items whose labels a transform changes, beside targets that it does not."""

    def __init__(self, target, target_transform=None, n: int = 800) -> None:
        self.targets, self.target_transform = [target(i) for i in range(n)], target_transform
        self.own, self.read = self.targets, []

    def __len__(self) -> int:
        return len(self.own)

    def __getitem__(self, i: int):
        self.read.append(i)
        return torch.tensor([float(i)]), (self.target_transform or (lambda y: y))(self.own[i])


@pytest.mark.parametrize("threads", [0, 3])
@pytest.mark.parametrize("cache", [False, True])
def test_tasks_are_those_of_the_same_data_in_memory(cache, threads):
    dataset = Pictures()
    lazy = qs.Episodes.from_dataset(dataset, 2, 1, 2, seed=5, cache=cache, threads=threads)
    memory = qs.Episodes(qs.ClassDataset.from_labels(dataset.x, LABELS), 2, 1, 2, seed=5)
    for step in range(4):
        for a, b in zip(lazy.sample(step, 3), memory.sample(step, 3), strict=True):
            assert torch.equal(a.x, b.x)
            assert torch.equal(a.y, b.y)


def test_labels_are_read_once_and_from_targets_with_ten_items():
    reading = Pictures()
    qs.Episodes.from_dataset(reading, 2, 1, 1)
    assert reading.read == list(range(9))
    for transform, read in ((None, 10), (str, 40)):  # a transform of labels is compared on each of 40 classes
        knowing = Digits(lambda i: i % 40, transform)
        knowing.targets = [str(i % 40) if transform else i % 40 for i in range(800)]
        assert len(qs.Episodes.from_dataset(knowing, 2, 1, 1).data.names) == 40
        assert read <= len(knowing.read) <= read + 10
        assert {0, 799} <= set(knowing.read)


def test_an_item_is_read_once_where_it_is_kept_and_when_it_is_wanted():
    kept, anew = Pictures(targets=True), Pictures(targets=True)
    for dataset, cache in ((kept, True), (anew, False)):
        tasks = qs.Episodes.from_dataset(dataset, 2, 1, 1, cache=cache)
        dataset.read.clear()
        tasks.sample(0, 1)
        assert 0 < len(dataset.read) <= 4
        for step in range(1, 20):
            tasks.sample(step, 1)
    assert sorted(kept.read) == list(range(9))
    assert len(anew.read) > 40


def test_only_the_classes_of_a_split_are_drawn():
    tasks = qs.Episodes.from_dataset(Pictures(), 2, 1, 1, classes=["cow", "dog"])
    assert tasks.data.names == ("cow", "dog")
    with pytest.raises(DataError, match="no item of the dataset has the class 'cwo'"):
        qs.Episodes.from_dataset(Pictures(), 2, 1, 1, classes=["cow", "cwo"])
    with pytest.raises(NotEnoughExamples, match="has 3 examples"):
        qs.Episodes.from_dataset(Pictures(), 2, 1, 5)


def test_dictionaries_are_stacked_and_whole_numbers_stay_whole():
    class Sentences(Dataset):
        def __len__(self) -> int:
            return 6

        def __getitem__(self, i: int):
            return {"ids": np.array([300 + i, 1]), "mask": torch.ones(2)}, i % 2

    support, query = qs.Episodes.from_dataset(Sentences(), 2, 1, 2).sample(0, 3)
    assert support.x["ids"].shape == (3, 2, 2)
    assert query.x["ids"].dtype == torch.int64
    assert set(query.x["ids"][..., 0].flatten().tolist()) <= set(range(300, 306))


def test_bytes_become_numbers_from_0_to_1_as_elsewhere():
    dataset = TensorDataset(torch.full((4, 1, 2, 2), 255, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    assert qs.Episodes.from_dataset(dataset, 2, 1, 1).sample(0, 1).support.x.unique().tolist() == [1.0]


@pytest.mark.parametrize("give", [lambda i: Image.new("L", (2, 2)), lambda i: torch.zeros(i + 1)])
def test_what_cannot_be_stacked_is_refused_in_a_line(give):
    class Odd(Dataset):
        targets = (0, 1, 0, 1)

        def __len__(self) -> int:
            return 4

        def __getitem__(self, i: int):
            return give(i), self.targets[i]

    with pytest.raises(DataError, match="cannot be stacked") as refused:
        qs.Episodes.from_dataset(Odd(), 2, 1, 1).sample(0, 2)
    assert "\n" not in str(refused.value)


def test_a_learner_trains_and_is_evaluated_on_them():
    tasks = qs.Episodes.from_dataset(Pictures(), 2, 1, 1)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(48, 5))
    learner = qs.Prototypical(net)
    qs.train(learner, tasks, steps=2, tasks_per_step=4)
    assert qs.evaluate(learner, tasks, n_tasks=5).n_tasks == 5


@pytest.mark.parametrize(
    "labels", [[(1, 2), (1, 2), (3, 4), (3, 4)], np.array([1, 1, 2, 2]), torch.tensor([1, 1, 2, 2])]
)
def test_labels_of_any_kind_make_classes(labels):
    dataset = TensorDataset(torch.arange(4.0))
    dataset.targets = labels
    task = qs.Episodes.from_dataset(dataset, 2, 1, 1).sample(0, 1)
    assert sorted(torch.cat([task.support.x, task.query.x]).flatten().tolist()) == [0, 1, 2, 3]


class Listed(list):
    """Items with targets beside them."""

    def __init__(self, items, targets) -> None:
        super().__init__(items)
        self.targets = targets


X, CLASSES = torch.arange(8.0).view(8, 1), torch.arange(8) % 2
ONE_HOT = torch.eye(2)[CLASSES]


@pytest.mark.parametrize(
    "dataset",
    [
        TensorDataset(X, ONE_HOT),
        TensorDataset(X, ONE_HOT.long()),
        Listed([(x, None) for x in X], ONE_HOT.bool()),
        Listed([(x, None) for x in X], ONE_HOT.numpy()),
        Listed([(x, None) for x in X], ONE_HOT.tolist()),
        TensorDataset(X, CLASSES[:, None]),
    ],
)
def test_one_hot_rows_and_a_column_of_numbers_are_the_same_classes_as_numbers(dataset):
    rows, numbers = (qs.Episodes.from_dataset(each, 2, 1, 2) for each in (dataset, TensorDataset(X, CLASSES)))
    assert rows.data.names == ("0", "1")
    assert torch.equal(rows.sample(0, 3).support.x, numbers.sample(0, 3).support.x)


class Stream(IterableDataset):
    def __iter__(self):
        return zip(X, CLASSES, strict=True)


class LongStream(Stream):
    def __len__(self) -> int:
        return 8


@pytest.mark.parametrize(
    ("dataset", "line"),
    [
        ([{"x": 0.5, "label": 1}] * 8, r"item 0 of the dataset is a dict, but a pair \(input, label\) is needed; make"),
        (TensorDataset(X), "item 0 of the dataset is a tuple, but a pair"),
        ([("a dog", 0), ("a cat", 1)] * 4, "the input of item 0 is or contains a string; give tensors"),
        ([({"ids": 3, "text": "a dog"}, 0)] * 8, "the input of item 0 is or contains a string"),
        (TensorDataset(X, torch.ones(8, 2)), r"the label of item 0 is \[1.0, 1.0\], which is no class; give a number"),
        (TensorDataset(X, 0.5 * torch.ones(8, 2)), "which is no class"),
        ([(0.5, {"boxes": 1})] * 8, "which is no class"),
        (Stream(), r"Stream is read in one order alone, but .* give a map-style dataset, such as list\(dataset\)"),
        (LongStream(), "LongStream is read in one order alone"),
    ],
)
def test_a_dataset_that_makes_no_tasks_is_refused_in_a_line_before_the_first_task(dataset, line):
    with pytest.raises(DataError, match=line) as refused:
        qs.Episodes.from_dataset(dataset, 2, 1, 1)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("item", "line"), [({"x": 0.5}, "is a dict, but a pair"), (("a dog", 0), "is or contains a string")]
)
def test_items_that_make_no_tasks_are_refused_although_their_labels_are_known(item, line):
    with pytest.raises(DataError, match=line):
        qs.Episodes.from_dataset(Listed([item] * 8, CLASSES), 2, 1, 1)


def classes_of(tasks):
    """Return the numbers of the items of each class."""
    return {name: tasks.data.x[tasks.data.y == k].tolist() for k, name in enumerate(tasks.data.names)}


OF_EIGHT = {str(k): list(range(k, 80, 4)) for k in range(4)}


@pytest.mark.parametrize(
    "changed", [lambda y: y % 4, lambda y: y if y != 7 else 6, lambda y: torch.tensor(y % 4), lambda y: f"class {y}"]
)
def test_labels_are_those_that_items_give(changed):
    tasks = qs.Episodes.from_dataset(Digits(lambda i: i % 8, changed, n=80), 2, 1, 1)
    expected: dict[str, list[int]] = {}
    for i in range(80):
        label = changed(i % 8)
        expected.setdefault(str(int(label) if isinstance(label, torch.Tensor) else label), []).append(i)
    assert classes_of(tasks) == dict(sorted(expected.items()))


@pytest.mark.parametrize(
    "labels",
    [
        lambda: [0] * 80,  # a method
        dict.fromkeys(range(80), 0),
        "x" * 80,
        torch.tensor(3),
        torch.zeros(80, 5),
        torch.zeros(79),
        [None] * 80,
        [0] * 80,
        7,
        list,
    ],
)
def test_an_attribute_that_holds_no_labels_of_the_items_is_ignored(labels):
    dataset = Digits(lambda i: i % 4, n=80)
    dataset.labels = labels
    del dataset.targets
    assert classes_of(qs.Episodes.from_dataset(dataset, 2, 1, 1)) == OF_EIGHT


@pytest.mark.parametrize(
    "classes", [torch.tensor([0, 3]), np.array([3, 0]), [0.0, 3], {0, 3}, [torch.tensor(3), False]]
)
def test_classes_are_named_as_labels_are(classes):
    tasks = qs.Episodes.from_dataset(Digits(lambda i: i % 4, n=80), 2, 1, 1, classes=classes)
    assert classes_of(tasks) == {"0": OF_EIGHT["0"], "3": OF_EIGHT["3"]}


@pytest.mark.parametrize(
    ("classes", "error", "line"),
    [
        (["0", "3"], DataError, r"no item of the dataset has the class '0'; use some of \[0, 1, 2, 3\]$"),
        ([0, None], DataError, "classes: label 1 is None, which is no class"),
        ("dog", SettingError, r"classes='dog' is one label, but a list of labels is needed; write \['dog'\]$"),
        (3, SettingError, r"classes=3 is one label, but a list of labels is needed; write \[3\]$"),
        (torch.tensor(3), SettingError, "is one label, but a list"),
    ],
)
def test_classes_that_are_none_are_refused_in_a_line(classes, error, line):
    with pytest.raises(error, match=line) as refused:
        qs.Episodes.from_dataset(Digits(lambda i: i % 4, n=80), 2, 1, 1, classes=classes)
    assert "\n" not in str(refused.value)


def test_equal_numbers_are_one_class():
    labels = [0, 1, 0.0, 1.0, False, True, np.float32(0), torch.tensor(1)]
    assert classes_of(qs.Episodes.from_dataset([(x, y) for x, y in zip(X, labels, strict=True)], 2, 1, 1)) == {
        "0": [0, 2, 4, 6],
        "1": [1, 3, 5, 7],
    }


@pytest.mark.parametrize(
    ("label", "line"),
    [
        (None, "the label of item 5 is None, which is no class; leave that item out or give it one"),
        (float("nan"), "the label of item 5 is nan, which is no class; leave"),
        (torch.tensor(float("nan")), "the label of item 5 is nan"),
        ("1", "classes 1 and '1' have the same name; give labels of one type"),
        ({"a"}, "the label of item 5 is {'a'}, which is no class; give"),
    ],
)
def test_a_label_that_is_no_class_is_refused_by_its_item(label, line):
    labels = [1, 0, 1, 0, 1, label, 1, 0]
    for dataset in (
        [(x, y) for x, y in zip(X, labels, strict=True)],
        Listed(list(zip(X, labels, strict=True)), labels),
    ):
        with pytest.raises(DataError, match=line) as refused:
            qs.Episodes.from_dataset(dataset, 2, 1, 1)
        assert "\n" not in str(refused.value)


def test_what_the_lines_advise_works():
    named = [{"x": x, "label": label} for x, label in Stream()]
    for dataset in ([(item["x"], item["label"]) for item in named], list(Stream())):
        assert qs.Episodes.from_dataset(dataset, 2, 1, 1).sample(0, 1).query.x.shape == (1, 2, 1)


def test_a_dictionary_is_no_image_to_change():
    tasks = qs.Episodes.from_dataset([({"a": x}, int(c)) for x, c in Stream()], 2, 1, 1, rotate=True)
    with pytest.raises(SettingError, match="rotate, warp and augment change images, but an input is a dict"):
        tasks.sample(0, 1)


def test_names_of_classes_may_stand_for_the_numbers_that_items_give():
    class Named(list):
        labels = ["cat", "dog"] * 10

    data = Named((torch.zeros(3), i % 2) for i in range(20))
    assert labels_of(data) == Named.labels


@pytest.mark.parametrize("rest", [({"label": 1},), (0, "cat"), ("a/path.png",), ([0.9, 0.1],), ()])
def test_items_that_are_no_pair_of_input_and_class_leave_the_attribute(rest):
    class Known(list):
        targets = [0, 1] * 10

    assert labels_of(Known((torch.zeros(3), *rest) for _ in range(20))) == Known.targets


def test_an_item_may_be_a_pair_by_its_numbers_alone():
    class Pair:
        def __init__(self, *parts):
            self.parts = parts

        def __getitem__(self, i):
            return self.parts[i]

    class Known(list):
        targets = [0, 1] * 10

    assert labels_of(Known(Pair(torch.zeros(3), i % 2) for i in range(20))) == Known.targets
