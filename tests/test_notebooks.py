"""The notebooks run from the first cell to the last in an empty folder, and their outputs were kept without times."""

import importlib.util
import json
from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "docs" / "notebooks"
NOTEBOOKS = sorted(HERE.glob("*.ipynb"))
LARGEST = 150_000
"""Bytes of a notebook with its plots, at most."""


def outputs(notebook) -> list:
    return [out for cell in notebook["cells"] if cell["cell_type"] == "code" for out in cell["outputs"]]


def test_there_are_five_and_each_is_on_the_site():
    assert len(NOTEBOOKS) == 5
    index, nav = (HERE / "index.md").read_text("utf-8"), (HERE.parents[1] / "mkdocs.yml").read_text("utf-8")
    for path in NOTEBOOKS:
        assert f"]({path.name})" in index
        assert f"notebooks/{path.stem}.md" in nav


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_outputs_were_kept_small_and_without_times(path):
    notebook = json.loads(path.read_text("utf-8"))
    assert path.stat().st_size < LARGEST
    assert any("image/png" in out.get("data", {}) for out in outputs(notebook))
    assert all(out["output_type"] != "error" and out.get("name") != "stderr" for out in outputs(notebook))
    for cell in notebook["cells"]:
        assert cell["metadata"] == {}
        assert cell.get("execution_count") is None


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs(path, tmp_path):
    for name in ("nbclient", "ipykernel", "matplotlib"):
        pytest.importorskip(name)
    if path.stem == "sentences":
        pytest.importorskip("sentence_transformers")
    spec = importlib.util.spec_from_file_location("execute", HERE / "execute.py")
    execute = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(execute)
    notebook = execute.executed(path, tmp_path)  # an error of a cell is raised
    kept = json.loads(path.read_text("utf-8"))
    assert [out["output_type"] for out in outputs(execute.tidied(notebook))] == [
        out["output_type"] for out in outputs(kept)
    ]
