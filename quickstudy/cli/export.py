"""``quickstudy export``."""

from __future__ import annotations

import json
from pathlib import Path

from quickstudy.models.folder import ModelFolder
from quickstudy.sharing.onnx import export as export_model


def export(model: Path, out: Path, as_json: bool) -> None:
    """Write a run's encoder, or a classifier, as ONNX."""
    folder = ModelFolder(model)
    off = export_model(folder, out)
    kind = "encoder" if folder.labels is None else "classifier"
    if as_json:
        print(json.dumps({"file": str(out), "kind": kind, "difference": off}))
    else:
        print(f"{out}: the {kind}, within {off:.1e} of the model")
