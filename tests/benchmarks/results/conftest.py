"""A copy of the committed records that a test may change."""

import json
import shutil
from collections.abc import Callable
from typing import Any

import pytest

from benchmarks.results import tables


@pytest.fixture
def change(tmp_path, monkeypatch) -> Callable[[str, Callable[[dict[str, Any]], None]], None]:
    """Return a function that edits each record of a folder; the page is then made from the edited ones."""
    copy = shutil.copytree(tables.RESULTS, tmp_path / "results")
    monkeypatch.setattr(tables, "RESULTS", copy)

    def edit(folder: str, by: Callable[[dict[str, Any]], None]) -> None:
        for path in (copy / folder).glob("*.json"):
            record = json.loads(path.read_text())
            by(record)
            path.write_text(json.dumps(record))

    return edit
