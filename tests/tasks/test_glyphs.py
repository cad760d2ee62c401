import io
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from quickstudy.errors import DataError, SettingError
from quickstudy.tasks.glyphs import draw_glyphs, glyphs

SHARED = Path(__file__).parents[3] / "shared"


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    """Ink in [0, 1] of 80 classes, (80, 20, 28, 28)."""
    return draw_glyphs(range(80)).x.view(80, 20, 28, 28).numpy() / 255


def distances(images: np.ndarray) -> tuple[float, float]:
    """Mean pixel distance of neighbouring instances, and of instances of neighbouring classes."""
    within = np.linalg.norm(images[:, 1:] - images[:, :-1], axis=(2, 3)).mean()
    between = np.linalg.norm(images[1:, 1:] - images[:-1, :-1], axis=(2, 3)).mean()
    return within, between


def extent(images: np.ndarray) -> float:
    """Mean of the longer side of what is inked, pixels."""
    inked = images > 0.2
    rows, columns = inked.any(3), inked.any(2)
    return float(np.mean(np.maximum(*(28 - m.argmax(-1) - m[..., ::-1].argmax(-1) for m in (rows, columns)))))


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 2**40),
    classes=st.lists(st.integers(0, 10**7), min_size=1, max_size=4, unique=True),
    per_class=st.integers(1, 7),
)
def test_an_instance_depends_on_seed_class_and_number_alone(seed, classes, per_class):
    together = draw_glyphs(classes, per_class, seed=seed).x.view(len(classes), per_class, 1, 28, 28)
    alone = torch.stack([draw_glyphs([k], per_class=9, seed=seed).x for k in classes])
    assert torch.equal(together, alone[:, :per_class])


def test_seeds_classes_and_instances_all_differ():
    x = torch.cat([draw_glyphs(range(40), per_class=5, seed=seed).x for seed in (0, 1)])
    assert len(torch.unique(x.flatten(1), dim=0)) == len(x)


@pytest.mark.parametrize("size", [8, 28, 64])
def test_images_are_ink_on_nothing_whatever_the_size(size):
    data = draw_glyphs(range(30), per_class=2, size=size)
    assert data.x.shape == (60, 1, size, size)
    assert data.x.dtype == torch.uint8
    assert data.names[29] == "glyph-000029"
    ink = data.x.float().mean((1, 2, 3)) / 255
    assert ink.min() > 0.01
    assert ink.max() < 0.4
    assert 0.06 < ink.mean() < 0.11


def test_larger_images_show_the_same_characters():
    small, large = (draw_glyphs(range(10), per_class=3, size=size).x.float() for size in (28, 84))
    reduced = torch.nn.functional.avg_pool2d(large, 3)
    assert torch.corrcoef(torch.stack([small.flatten(), reduced.flatten()]))[0, 1] > 0.95


def test_classes_differ_more_between_than_within(images):
    within, between = distances(images)
    assert within < 0.95 * between
    means = images[:20, :10].mean(1)
    queries = images[:20, 10:].reshape(200, 1, 28, 28)
    nearest = ((queries - means) ** 2).sum((2, 3)).argmin(1)
    assert (nearest == np.arange(20).repeat(10)).mean() > 0.5  # chance is 0.05


def test_splits_share_no_class_and_the_test_stays_when_training_grows():
    short, long = glyphs((3, 2, 2), per_class=2), glyphs((9, 4, 2), per_class=2)
    assert [part.n_classes for part in long] == [9, 4, 2]
    assert len({name for part in long for name in part.names}) == 15
    assert torch.equal(short.test.x, long.test.x)
    assert torch.equal(short.train.x, long.train.x[:6])


def test_global_random_state_is_neither_read_nor_written():
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    before = draw_glyphs([5], per_class=2).x
    numbers = np.random.random(), torch.rand(1).item()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    assert (np.random.random(), torch.rand(1).item()) == numbers  # noqa: NPY002
    assert torch.equal(draw_glyphs([5], per_class=2).x, before)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: draw_glyphs([]),
        lambda: draw_glyphs([-1]),
        lambda: draw_glyphs([0], per_class=0),
        lambda: draw_glyphs([0], size=7),
        lambda: draw_glyphs([0], size=257),
        lambda: draw_glyphs([0], seed=-1),
        lambda: glyphs((1, 0, 1)),
        lambda: glyphs((1, 1, 100_001)),
        lambda: glyphs((1, 1)),
    ],
)
def test_bad_sizes_are_refused_in_one_line(ask):
    with pytest.raises(SettingError, match="give") as caught:
        ask()
    assert "\n" not in str(caught.value)


def test_a_class_given_twice_is_refused():
    with pytest.raises(DataError, match="glyph-000003"):
        draw_glyphs([3, 3], per_class=1)


def test_glyphs_are_alike_shared_omniglot(images):
    path = SHARED / "data/omniglot/images_background.zip"
    if not path.exists():
        pytest.skip("no Omniglot on this machine")
    with zipfile.ZipFile(path) as archive:
        names = sorted(name for name in archive.namelist() if re.search(r"character\d+/[^/]+\.png$", name))
        names = [name for i in range(0, 960, 12) for name in names[20 * i : 20 * i + 20]]
        real = [
            np.asarray(Image.open(io.BytesIO(archive.read(name))).convert("L").resize((28, 28), Image.Resampling.BOX))
            for name in names
        ]
    omniglot = 1 - np.stack(real).reshape(80, 20, 28, 28) / 255
    assert abs(images.mean() / omniglot.mean() - 1) < 0.2
    assert abs(extent(images) / extent(omniglot) - 1) < 0.2
    ratios = [within / between for within, between in map(distances, (images, omniglot))]
    assert abs(ratios[0] - ratios[1]) < 0.1
