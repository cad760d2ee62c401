"""The page of an explanation stands alone, whatever the names, and shows what it learned from."""

from html import escape
from html.parser import HTMLParser

import pytest
import torch

from quickstudy import ClassDataset, Classifier, Identity, Item, Prototypical, explain
from quickstudy.classify.explanation import pixels
from quickstudy.classify.page import page
from quickstudy.inputs.arrays import Arrays
from quickstudy.inputs.dataset import encoded
from quickstudy.inputs.tables import Table
from tests.classify.test_explanation import GLYPHS, classifier


class _Page(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.sources = [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "br", "circle"):
            self.open.append(tag)
        self.sources += [value for name, value in attributes if name in ("src", "href")]

    def handle_endtag(self, tag):
        if tag != "circle":
            assert self.open.pop() == tag


@pytest.mark.parametrize("name", ["prototypical", "maml"])
def test_the_page_stands_alone_whatever_the_names(name):
    evil = '<script>alert("x")</script>'
    data = ClassDataset(GLYPHS.x, GLYPHS.y, (evil, "b & c", "d'\"e"))
    few = classifier(name, data)
    item = Item(evil, GLYPHS.x[0])
    html = page(explain(few, item), few, item, pixels(few, item))
    parser = _Page()
    parser.feed(html)
    assert parser.open == []
    assert "<script" not in html
    assert "http" not in html
    assert all(source.startswith("data:image/png;base64,") for source in parser.sources)
    assert len(parser.sources) == 2 + 12


def test_rows_are_shown_by_name_and_columns_and_the_asked_one_is_coloured():
    table = Table({"width": [2.0, 1.0]}, {"colour": ["<b>", "red"]})
    rows = [{"width": w, "colour": c} for w, c in ((1, "<b>"), (2, "red"), (9, "red"))]
    items = [Item(f"stones.csv row {i}", row) for i, row in enumerate(rows, 1)]
    few = Classifier(Prototypical(Identity(3)), table, encoded(table, list(zip(items, "aab", strict=True))))
    html = page(explain(few, {"width": 8, "colour": "red"}), few, Item("mine", {"width": 8, "colour": "red"}))
    for item in items:
        assert escape(table.caption(item)) in html
    assert ">width</span>" in html
    assert "<b>," not in html
    assert "<img" not in html


def test_inputs_without_parts_or_pictures_are_named():
    data = ClassDataset.from_labels(torch.eye(2), ["a", "b"])
    few = Classifier(Prototypical(Identity(2)), Arrays((2,)), data)
    html = page(explain(few, [1.0, 0.0]), few, Item("<mine>", [1.0, 0.0]))
    assert "&lt;mine&gt;" in html
    assert "example 1" in html
