"""Run the notebooks of this folder and write their outputs into them. The site shows the small plots.

python docs/notebooks/execute.py [NAME ...]
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with fresh outputs, run in a folder; an error of a cell is raised."""
    notebook = nbformat.read(path, as_version=4)
    where = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=600, kernel_name="python3", resources=where).execute()
    return notebook


def tidied(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Remove what differs between two runs but tells nothing: times, numbers of cells, progress bars, parts of a text.

    A busy kernel sends what a cell prints in more parts than an idle one; here each is one text.
    """
    notebook.metadata = {key: notebook.metadata[key] for key in ("kernelspec",)}
    for cell in notebook.cells:
        cell.metadata = {}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [out for out in cell.outputs if out.get("name") != "stderr"]
            cell.outputs = joined(cell.outputs)
            for out in cell.outputs:
                out.pop("execution_count", None)
                out.get("data", {}).pop("text/plain", None) if "image/png" in out.get("data", {}) else None
    return notebook


def joined(outputs: list[nbformat.NotebookNode]) -> list[nbformat.NotebookNode]:
    """Return outputs of which neighbours of one stream are one."""
    kept: list[nbformat.NotebookNode] = []
    for out in outputs:
        if kept and "name" in out and kept[-1].get("name") == out.name:
            kept[-1].text += out.text
        else:
            kept.append(out)
    return kept


if __name__ == "__main__":
    for path in [HERE / f"{name}.ipynb" for name in sys.argv[1:]] or sorted(HERE.glob("*.ipynb")):
        with tempfile.TemporaryDirectory() as folder:
            nbformat.write(tidied(executed(path, Path(folder))), path)
        print(path.name, f"{path.stat().st_size / 1024:.0f} kB")
