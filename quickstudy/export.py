"""A trained net, or a classifier with what it has learned, as one ONNX file for other programs."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from quickstudy.classifier import Classifier
from quickstudy.errors import ModelError, SettingError
from quickstudy.files import replace
from quickstudy.learners import Learner
from quickstudy.learners.metric import MetricLearner
from quickstudy.nets import apply, input_shape
from quickstudy.tasks.task import Examples

TOLERANCE = 1e-5
"""Relative to the largest answer: what the exported file may differ by."""


class _Encoder(nn.Module):
    """Inputs (n, *input) to embeddings (n, d)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.net, x, statistics="population")


class _Answers(nn.Module):
    """Inputs (n, *input) to probabilities (n, n_labels), of a metric learner that has seen its support."""

    def __init__(self, classifier: Classifier, learner: MetricLearner) -> None:
        super().__init__()
        self.net = learner.net
        self.compare = learner.comparison(Examples(classifier.embed(classifier.support.x), classifier.support.y))
        counts = classifier.support.y.sum(0).double()
        shots = 1 / float((1 / counts).mean())
        self.scale = classifier.confidence.scale(shots) if classifier.confidence else 1.0

    def forward(self, x: Tensor) -> Tensor:
        query = apply(self.net, x, statistics="population")
        return (self.compare(query) / self.scale).softmax(-1)


@contextmanager
def _silent() -> Iterator[None]:
    """Without torch's own warnings, of what an exporter may lack that no model here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def export(model: Learner | Classifier, path: Path | str) -> float:
    """Write the encoder of a learner, or a classifier's probabilities, as ONNX; checked with onnxruntime.

    The file takes any number of inputs, "x" (n, *input) float32 in [0, 1], and gives "embedding" (n, d) or
    "probability" (n, n_labels). A classifier's labels are in the metadata, as JSON under "labels".

    Args:
        model: A learner with a net; or a classifier whose learner compares embeddings, not transductively.
        path: Of the file.

    Returns:
        The largest difference from what the model answers here, relative to the largest answer.

    Raises:
        SettingError: onnx, onnxscript or onnxruntime is not installed.
        ModelError: The model cannot be written as ONNX, or the file does not answer as the model does.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise SettingError("onnx is not installed; pip install 'quickstudy[onnx]'") from None
    learner = model.learner if isinstance(model, Classifier) else model
    shape, net = input_shape(learner), getattr(learner, "net", None)
    if shape is None or not isinstance(net, nn.Module):
        raise ModelError(f"{type(learner).__name__} has no net of known input, so there is nothing to export")
    metadata: dict[str, Any] = {"input": list(shape)}
    if isinstance(model, Classifier):
        if not isinstance(learner, MetricLearner) or learner.transductive:
            raise ModelError(
                f"{type(learner).__name__} adapts weights to its examples; export the run's encoder, or a classifier "
                f"of a learner that compares embeddings"
            )
        module: nn.Module = _Answers(model, learner)
        name, metadata["labels"] = "probability", list(model.labels)
    else:
        module, name = _Encoder(net), "embedding"
    noise = torch.rand(3, *shape, generator=torch.Generator().manual_seed(0)).to(next(learner.parameters()))
    buffer = io.BytesIO()
    with torch.no_grad(), _silent():
        expected = module.eval()(noise).numpy()
        try:
            program = torch.onnx.export(
                module,
                (noise,),
                input_names=["x"],
                output_names=[name],
                dynamic_shapes={"x": {0: torch.export.Dim.DYNAMIC}},
                verbose=False,
            )
            assert program is not None
            proto = program.model_proto
        except Exception as error:  # of many kinds: what torch cannot trace
            reason = " ".join(str(error).split())[:200]
            raise ModelError(f"{type(learner).__name__} cannot be written as ONNX: {reason}") from error
    for key, value in metadata.items():
        proto.metadata_props.append(onnx.StringStringEntryProto(key=key, value=json.dumps(value)))
    buffer.write(proto.SerializeToString())
    session = onnxruntime.InferenceSession(buffer.getvalue(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": noise.numpy()})
    off = float(np.abs(found - expected).max() / np.abs(expected).max())
    if not off <= TOLERANCE:
        raise ModelError(f"the exported file answers otherwise than the model, by {off:.1e} relative; nothing written")
    replace(Path(path), buffer.getvalue())
    return off
