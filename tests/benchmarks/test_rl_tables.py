"""The tables of docs/rl.md are those of the committed results."""

import json
from importlib import import_module

import pytest

from benchmarks.results.tables import ROOT


@pytest.mark.parametrize("name", ["bandits", "mdps", "cheetah"])
def test_the_tables_of_environments_are_those_of_the_committed_results(name):
    path = ROOT / "results" / "rl" / f"{name}.json"
    if not path.exists():
        pytest.skip("not measured")
    table = import_module(f"benchmarks.rl_{name}").table(json.loads(path.read_text()))
    assert table in (ROOT / "docs" / "rl.md").read_text()
