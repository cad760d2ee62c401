"""Conversion of files, sentences, rows and arrays into tensors: one file per kind of input."""

from __future__ import annotations

from typing import TYPE_CHECKING

from quickstudy.registry import Registry

if TYPE_CHECKING:
    from quickstudy.inputs.base import Inputs

INPUTS: Registry[type[Inputs]] = Registry(
    "kind of input",
    {
        "photos": "quickstudy.inputs.photos:Photos",
        "images": "quickstudy.inputs.images:Images",
        "sentences": "quickstudy.inputs.sentences:Sentences",
        "table": "quickstudy.inputs.tables:Table",
        "arrays": "quickstudy.inputs.arrays:Arrays",
    },
    base="quickstudy.inputs.base:Inputs",
    group="quickstudy.inputs",
)
"""Kinds of input by name. If no run is given, the first kind that recognises a source reads it."""
