"""Every kind of input keeps the laws of ``check_inputs``, and a kind that breaks one is told which."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch
from PIL import Image

from quickstudy import INPUTS
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.images import Images
from quickstudy.inputs.sentences import Sentences
from quickstudy.inputs.tables import Table
from quickstudy.tasks.glyphs import draw_glyphs
from quickstudy.testing import check_inputs
from tests.mirror import holds

ROWS = [{"width": w, "colour": c} for w, c in (("1.5", "red"), ("", "blue"), (3, None), ("-2", "green"))]
TABLE = Table({"width": [1.0, 2.0]}, {"colour": ["blue", "red"]})


@pytest.fixture
def drawings(tmp_path):
    data = draw_glyphs(range(3), 1)
    for i, x in enumerate(data.x):
        Image.fromarray(255 - x[0].numpy()).save(tmp_path / f"{i}.png")
    large = tmp_path / "large.webp"
    Image.fromarray(255 - draw_glyphs([9], 1, size=256).x[0, 0].numpy()).resize((900, 700)).save(large)
    return [*(tmp_path / f"{i}.png" for i in range(3)), large]


@pytest.mark.parametrize("inputs", [Images(), Images(3, 20, ink=False), Images(3, 32)])
def test_images_keep_the_laws(drawings, inputs, tmp_path):
    (tmp_path / "cut.png").write_bytes(drawings[0].read_bytes()[:60])
    (tmp_path / "text.png").write_text("text")
    bad = [Item(name, tmp_path / name) for name in ("cut.png", "text.png", "nowhere.png")]
    check_inputs(inputs, inputs.items(drawings), [*bad, Item("odd", np.zeros((2, 5, 7))), Item("bytes", b"no")])


def test_sentences_keep_the_laws():
    pytest.importorskip("sentence_transformers")
    some = Sentences()
    bad = [Item("text 1", ""), Item("text 2", "  "), Item("text 3", 7), Item("text 4", "x" * 10_001)]
    check_inputs(some, some.items(["where is my parcel", "I want my money back", "rain", "ünï ☃"]), bad)


def test_tables_keep_the_laws():
    bad = [Item("row 1", {"width": "ten", "colour": ""}), Item("row 2", {"width": "1"}), Item("row 3", [1, 2])]
    check_inputs(TABLE, TABLE.items(ROWS), bad)


def test_arrays_keep_the_laws():
    some = Arrays((2, 3))
    bad = [Item("array 1", [1.0]), Item("array 2", "word"), Item("array 3", None), Item("array 4", b"no")]
    check_inputs(some, some.items(np.arange(24.0).reshape(4, 2, 3)), bad)


def test_every_kind_is_held_to_the_laws():
    here = {Images, Sentences, Table, Arrays}
    assert all(cls in here or holds(cls, "check_inputs") for cls in INPUTS.values())


@dataclass(frozen=True)
class Lengths(Inputs):
    """Words by their lengths."""

    scale: float = 1.0

    noun: ClassVar[str] = "word"
    shape = (1,)
    recipe = "The number of letters."

    def open(self, source: str | Path | bytes) -> Iterator[Item]:
        yield Item(str(source), source)

    @classmethod
    def labelled(cls, source: Path) -> list[tuple[Item, str]]:
        return []

    def encode(self, items):
        return torch.tensor([[self.scale * len(item.value)] for item in items])

    def keep(self, item):
        return item.value if isinstance(item.value, bytes) else item.value.encode()


class ByBatch(Lengths):
    def encode(self, items):
        x = super().encode(items)
        return x - x.mean(0)


class Forgets(Lengths):
    def keep(self, item):
        return b""


class Mends(Lengths):
    def keep(self, item):
        return super().keep(item) + b"!"


class Renames(Lengths):
    def __init__(self, scale: float = 1.0) -> None:
        object.__setattr__(self, "factor", scale)
        object.__setattr__(self, "scale", 1.0)


WORDS = Lengths().items(["a", "abc", "abcdef"])


@pytest.mark.parametrize(
    ("cls", "says"),
    [
        (ByBatch, "a row depends on the batch"),
        (Forgets, "is encoded more like"),
        (Mends, "is not kept unchanged"),
        (Renames, "keep each as an attribute|unexpected keyword"),
    ],
)
def test_a_broken_law_is_named(cls, says, monkeypatch):
    monkeypatch.setattr(INPUTS, "_own", {**INPUTS._own})
    INPUTS.register("words", cls)
    with pytest.raises((AssertionError, TypeError), match=says):
        check_inputs(cls(), WORDS)


def test_what_should_be_refused_and_is_not_is_told(monkeypatch):
    monkeypatch.setattr(INPUTS, "_own", {**INPUTS._own})
    INPUTS.register("words", Lengths)
    check_inputs(Lengths(), WORDS)
    with pytest.raises(AssertionError, match="abc is encoded, but it is bad"):
        check_inputs(Lengths(), WORDS, [WORDS[1]])
