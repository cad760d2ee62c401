"""``quickstudy export``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quickstudy.cli.options import Json, ModelName


def export(
    model: ModelName,
    out: Annotated[Path, typer.Option("--out", "-o", help="ONNX file to write.", show_default=False)],
    json: Json = False,
) -> None:
    """Write a run's encoder, or a classifier, as ONNX for other programs, and check it with onnxruntime."""
    from quickstudy.cli.output import print_json
    from quickstudy.models.folder import ModelFolder
    from quickstudy.sharing.onnx import export

    folder = ModelFolder(model)
    off = export(folder, out)
    kind = "encoder" if folder.labels is None else "classifier"
    if json:
        print_json({"file": str(out), "kind": kind, "difference": off})
    else:
        print(f"{out}: the {kind}, within {off:.1e} of the model")
