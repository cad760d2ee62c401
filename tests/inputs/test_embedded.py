"""Features are made once: a second look at the same contents asks no encoder."""

import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import quickstudy as qs
from quickstudy.errors import DataError
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.encoders import ENCODERS
from quickstudy.inputs.photo_encoder import PhotoEncoder
from quickstudy.inputs.photos import Photos
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.text_encoder import TextEncoder

EMBEDDED: list[int] = []
"""Number of inputs of each call of an encoder."""


class Quarters(nn.Module):
    """Mean colours of the four quarters."""

    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(scale))

    def forward(self, x):
        EMBEDDED.append(len(x))
        return self.scale * nn.functional.adaptive_avg_pool2d(x, 2).flatten(1)


class Counted(PhotoEncoder):
    def __init__(self):
        super().__init__(Quarters(), size=16)


class Letters(nn.Module):
    def forward(self, texts):
        EMBEDDED.append(len(texts))
        return torch.tensor([[float(text.count(letter)) for letter in "abcde"] for text in texts])


class CountedText(TextEncoder):
    def __init__(self):
        super().__init__(Letters())


ENCODERS.register("counted", Counted)
ENCODERS.register("counted-text", CountedText)


@pytest.fixture
def pictures(tmp_path):
    draw = np.random.default_rng(0)
    for label in "ab":
        (tmp_path / "all" / label).mkdir(parents=True)
        for i in range(3):
            pixels = draw.integers(0, 256, (20, 24, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / "all" / label / f"{i}.png")
    return tmp_path / "all"


def calls(inputs, labelled):
    EMBEDDED.clear()
    return embedded(inputs, labelled), sum(EMBEDDED)


def test_photographs_are_embedded_once_whatever_their_place(pictures, tmp_path):
    photos = Photos.encoded_by("counted")
    first, n = calls(photos, photos.labelled(pictures))
    assert (n, first.names, first.x.shape) == (6, ("a", "b"), (6, 12))
    assert [item.value.name for item in first.items] == ["0.png", "1.png", "2.png"] * 2
    copy = shutil.copytree(pictures, tmp_path / "copy")
    again, n = calls(photos, photos.labelled(copy))
    assert n == 0
    assert torch.equal(again.x, first.x)
    assert again.items[0].value.parent == copy / "a"
    torch.testing.assert_close(first.x, photos.encode(first.items))


def test_another_content_label_or_encoder_is_embedded_anew(pictures):
    photos = Photos.encoded_by("counted")
    calls(photos, photos.labelled(pictures))
    labelled = photos.labelled(pictures)
    assert calls(photos, [(item, f"{label}?") for item, label in labelled])[1] == 6
    Image.new("RGB", (20, 24), "red").save(pictures / "a" / "0.png")
    assert calls(photos, labelled)[1] == 6
    assert calls(photos, labelled)[1] == 0

    class Other(PhotoEncoder):
        def __init__(self):
            super().__init__(Quarters(2.0), size=16)

    ENCODERS.register("other-weights", Other)
    assert calls(Photos.encoded_by("other-weights"), labelled)[1] == 6


def test_sentences_and_arrays_are_embedded_once():
    some = Sentences.encoded_by("counted-text")
    labelled = [(qs.Item(text, text), text[0]) for text in ("abc", "bad", "add", "cab")]
    first, n = calls(some, labelled)
    assert n == 4
    again, n = calls(some, labelled)
    assert (n, again.names) == (0, ("a", "b", "c"))
    assert torch.equal(first.x, again.x)
    photos = Photos.encoded_by("counted")
    arrays = [(qs.Item(str(i), np.full((3, 8, 8), 50 * i + 1, np.uint8)), "a") for i in range(3)]
    assert [calls(photos, arrays)[1] for _ in range(2)] == [3, 0]


def test_nothing_is_cached_without_a_checksum():
    some = Sentences()
    assert some.sha256 is None
    pytest.importorskip("sentence_transformers")
    data = embedded(some, [(qs.Item("hello", "hello"), "a")])
    assert data.x.shape == (1, 384)


def test_many_are_embedded_in_batches_like_all_at_once():
    some = Sentences.encoded_by("counted-text")
    labelled = [(qs.Item(f"a{i}", "a" * (i % 7) + "b" * (i % 5) + "c"), "xy"[i % 2]) for i in range(300)]
    data, n = calls(some, labelled)
    assert (n, len(EMBEDDED)) == (300, 3)
    assert torch.equal(data.x, some.encode(data.items))


def test_a_missing_file_is_named(pictures):
    photos = Photos.encoded_by("counted")
    labelled = photos.labelled(pictures)
    (pictures / "b" / "1.png").unlink()
    with pytest.raises(DataError, match=r"1\.png' cannot be read: No such file"):
        embedded(photos, labelled)
