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
    written = export(folder, out)
    kind = "encoder" if folder.labels is None else "classifier"
    if json:
        print_json({"file": str(out), "kind": kind, **written._asdict()})
        return
    takes = "one picture, decoded" if written.input == "image" else "encoded inputs"
    print(f"{out}: the {kind}, for {takes}, within {written.difference:.1e} of the model")
    if written.limits:
        print(written.limits)
