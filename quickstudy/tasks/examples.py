"""Example files to try everything with: small pictures, sentences and rows, none of which needs a download."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from quickstudy.errors import SettingError
from quickstudy.io.files import replace
from quickstudy.tasks.digits import digits

_WORDS = {"0": "zero", "3": "three", "4": "four", "6": "six", "7": "seven", "2": "two"}
"""Folders of pictures by the digit that they show; the last one is in more-pictures."""
_SENTENCES = {
    "parcel": (
        "where is my parcel", "my package has not arrived", "when will it be delivered",
        "track my order please", "the delivery is late", "did you send my order yet",
    ),
    "refund": (
        "I want my money back", "how do I get a refund", "please return what I paid",
        "give me back my money", "I would like a refund for this", "pay me back please",
    ),
    "card": (
        "my card was stolen", "I lost my credit card", "block my card please",
        "someone else uses my card", "I need a new card", "my card is gone",
    ),
    "hours": (
        "when do you open", "are you open on Sunday", "what are your opening hours",
        "how late is the shop open", "do you close at noon", "is the shop open today",
    ),
    "password": (
        "I forgot my password", "how do I change my password", "my login does not work",
        "I cannot sign in", "reset my password please", "my password is refused",
    ),
    "address": (
        "I moved to another street", "please change my address", "my address is wrong",
        "update where I live", "I have a new home address", "send it to my new address",
    ),
    "invoice": (
        "send me the invoice", "I need a bill for my taxes", "where do I find my invoice",
        "the bill has a wrong amount", "print my last invoice", "I did not get an invoice",
    ),
    "size": (
        "these shoes are too small", "which size fits me", "do you have it in a larger size",
        "the shirt is too wide", "I need a smaller one", "the trousers are too long",
    ),
    "broken": (
        "it arrived broken", "the screen has a crack", "it does not turn on",
        "one part is damaged", "the device stopped working", "the glass is cracked",
    ),
    "job": (
        "do you have open positions", "I want to work for you", "how do I apply for a job",
        "are you hiring", "whom do I send my application", "I am looking for a job",
    ),
}  # fmt: skip
_MORE_SENTENCES = {
    "warranty": ("how long is the warranty", "is it still under warranty", "does the guarantee cover this"),
    "gift": ("can you wrap it as a gift", "I buy this as a present", "do you sell gift cards"),
}
_NEW_SENTENCES = ("the post has not brought my package", "give back what I paid", "somebody has my card")
_WHAT = {
    "pictures": "handwritten digits, 5 of each of 5; teach them by `quickstudy adapt`",
    "more-pictures": "one more digit",
    "unsorted": "digits without labels",
    "new1.png": "a digit to ask about, a six",
    "new2.png": "a digit to ask about, a seven",
    "sentences.csv": "sentences to a shop, 6 of each of 10 labels",
    "more-sentences.csv": "sentences of two more labels",
    "new-sentences.csv": "sentences without labels",
    "rows.csv": "measures of invented stones, 6 of each of 20 kinds",
    "few-rows.csv": "stones of two more kinds",
    "new-rows.csv": "stones without labels",
}
_PICTURES, _UNSORTED, _NEW = 5, 2, 1
"""Numbers of pictures of a digit in its folder, in unsorted, and beside the folders."""


def examples(folder: Path | str = "examples") -> list[dict[str, str]]:
    """Write example files to a folder: pictures, sentences and rows, as people have them.

    The pictures are real digits (``qs.digits``). Sentences and rows are invented. The files are always the same, and
    writing them again changes nothing.

    Args:
        folder: Folder of the files.

    Returns:
        A list of what is there: path and what.

    Raises:
        SettingError: A file of such a name is there, with another content; nothing is written.

    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as place:
    ...     rows = examples(Path(place, "examples"))
    ...     sorted(path.name for path in Path(place, "examples", "pictures").iterdir())
    ['four', 'seven', 'six', 'three', 'zero']
    """
    folder = Path(folder)
    files = {folder / name: content for name, content in _files()}
    for path, content in files.items():
        if path.exists() and (not path.is_file() or path.read_bytes() != content):
            raise SettingError(f"{str(path)!r} exists already and is not an example; choose another folder")
    for path, content in files.items():
        if not path.exists():
            replace(path, content)
    return [{"path": str(folder / name), "what": what} for name, what in _WHAT.items()]


def _files() -> Iterator[tuple[str, bytes]]:
    """Yield the name and content of each file."""
    data = digits()
    for digit, word in _WORDS.items():
        images = data.select([data.names.index(digit)]).x
        place = "more-pictures" if word == "two" else "pictures"
        for i in range(_PICTURES):
            yield f"{place}/{word}/{i + 1}.png", _png(images[i])
        for i in range(_UNSORTED):
            yield f"unsorted/{ord(digit) * 37 % 89 + i}.png", _png(images[_PICTURES + i])
        if word in ("six", "seven"):
            yield f"new{1 + (word == 'seven')}.png", _png(images[_PICTURES + _UNSORTED])
    yield "sentences.csv", _csv(("text", "label"), _pairs(_SENTENCES))
    yield "more-sentences.csv", _csv(("text", "label"), _pairs(_MORE_SENTENCES))
    yield "new-sentences.csv", _csv(("text",), [(text,) for text in _NEW_SENTENCES])
    yield "rows.csv", _csv(("width", "weight", "colour", "label"), _stones(range(20), 6))
    yield "few-rows.csv", _csv(("width", "weight", "colour", "label"), _stones((20, 25), 3))
    yield "new-rows.csv", _csv(("width", "weight", "colour"), [row[:3] for row in _stones((20, 25), 2, seed=1)])


def _pairs(sentences: Mapping[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(text, label) for label, texts in sentences.items() for text in texts]


def _stones(kinds: Iterable[int], n: int, seed: int = 0) -> list[tuple[Any, ...]]:
    """Return rows of invented stones: each kind has another width, weight and colour."""
    draw = np.random.default_rng(seed)
    return [
        (
            f"{10 + 2 * kind + draw.normal(0, 0.3):.1f}",
            f"{5 + 7 * kind % 23 + draw.normal(0, 0.5):.1f}",
            ("grey", "red", "white")[kind % 3],
            f"stone {kind + 1}",
        )
        for kind in kinds
        for _ in range(n)
    ]


def _csv(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    return text.getvalue().encode()


def _png(image: Tensor) -> bytes:
    """Return an image (1, height, width) of ink as a PNG of ink on paper."""
    from PIL import Image

    content = io.BytesIO()
    Image.fromarray(255 - image[0].numpy()).save(content, "PNG")
    return content.getvalue()
