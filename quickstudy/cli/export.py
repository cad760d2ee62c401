"""``quickstudy export``."""

from __future__ import annotations

import json
from pathlib import Path

from quickstudy.classify.classifier import Classifier
from quickstudy.models.build import load, read_config
from quickstudy.sharing.onnx import export as export_model


def export(model: Path, out: Path, as_json: bool) -> None:
    """Write a run's encoder, or a classifier, as ONNX."""
    whole = read_config(model).get("labels") is not None
    off = export_model(Classifier.load(model) if whole else load(model), out)
    kind = "classifier" if whole else "encoder"
    if as_json:
        print(json.dumps({"file": str(out), "kind": kind, "difference": off}))
    else:
        print(f"{out}: the {kind}, within {off:.1e} of the model")
