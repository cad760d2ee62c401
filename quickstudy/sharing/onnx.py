"""Export of a trained net or a classifier as one ONNX file for other programs."""

from __future__ import annotations

import json
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor, nn

from quickstudy.classify.classifier import Classifier
from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.dataset import as_float
from quickstudy.io.files import replace
from quickstudy.learners import Learner
from quickstudy.models.folder import ModelFolder, describe_inputs
from quickstudy.nets import apply, input_shape

TOLERANCE = 1e-5
"""Largest difference of the exported file's answers, relative to the largest answer."""


class Exported(NamedTuple):
    """Description of a file that was written.

    Attributes:
        input: Name of the file's input: "image" for one picture of any size, "x" for encoded inputs.
        difference: Largest difference from the model's own answers, relative to the largest answer.
        limits: Inputs whose answers may differ from the model's, in words; None for no inputs.
    """

    input: str
    difference: float
    limits: str | None


class _Encoder(nn.Module):
    """Module from inputs (n, *input) to embeddings (n, d)."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        return apply(self.net, x, statistics="population")


class _Answers(nn.Module):
    """Module from inputs (n, *input) to probabilities (n, n_labels), by a learner adapted to its support."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.learner = classifier.learner  # the predictor uses its weights
        self.predict = classifier.learner.adapt(classifier.support)
        self.scale = classifier.scale

    def forward(self, x: Tensor) -> Tensor:
        return (self.predict(x) / self.scale).softmax(-1)


class _OfPicture(nn.Module):
    """Module from one picture (height, width, 3), uint8, to what another module returns for its encoding."""

    def __init__(self, encoding: nn.Module, module: nn.Module, like: Tensor) -> None:
        super().__init__()
        self.encoding, self.module, self.dtype = encoding, module, like.dtype

    def forward(self, image: Tensor) -> Tensor:
        result: Tensor = self.module(self.encoding(image).to(self.dtype))
        return result[0]


def _answers(classifier: Classifier) -> tuple[nn.Module, str, dict[str, Any]]:
    """Return the module to export for a classifier, the name of its output, and metadata."""
    if classifier.learner.transductive:
        kind = type(classifier.learner).__name__
        raise ModelError(
            f"this {kind} is transductive, so an answer depends on the whole batch; export an inductive learner"
        )
    with torch.no_grad():
        module = _Answers(classifier)
    return module, "probability", {"input": list(classifier.support.x.shape[1:]), "labels": list(classifier.labels)}


def _embeddings(learner: Learner) -> tuple[nn.Module, str, dict[str, Any]]:
    """Return the module to export for a learner, the name of its output, and metadata."""
    shape, net = input_shape(learner), getattr(learner, "net", None)
    if shape is None or not isinstance(net, nn.Module):
        raise ModelError(f"{type(learner).__name__} has no net of known input shape to export; export another learner")
    return _Encoder(net), "embedding", {"input": list(shape)}


@contextmanager
def silent() -> Iterator[None]:
    """Suppress torch's own warnings, which are about operators that no model here needs."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def export(model: Path | str | ModelFolder | Learner | Classifier, path: Path | str) -> Exported:
    """Write the encoder of a learner, or a classifier's probabilities, as ONNX, and check it with onnxruntime.

    A file for pictures takes one, decoded: "image" (height, width, 3), red, green and blue, uint8, upright, of any
    size. It returns "embedding" (d,) or "probability" (n_labels,). Any other file takes any number of encoded inputs,
    "x" (n, *input), and returns "embedding" (n, d) or "probability" (n, n_labels).

    Its metadata are JSON: "input" is the shape, "labels" are those of a classifier, and "limits" is as in ``Exported``.
    "inputs" is their kind and its arguments, with the checksum of a frozen encoder. "recipe" says how an input is made.

    Args:
        model: Folder or name of a model, a learner with a net, or a classifier.
        path: Path of the file.

    Raises:
        SettingError: onnx, onnxscript or onnxruntime is not installed.
        ModelError: The model cannot be written as ONNX, or the answers of the file differ from the model's.
    """
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise SettingError("onnx is not installed; pip install 'quickstudy[onnx]'") from None
    inputs = model.inputs if isinstance(model, Classifier) else None
    if isinstance(model, Path | str | ModelFolder):
        folder = model if isinstance(model, ModelFolder) else ModelFolder(model)
        model, inputs = Classifier.load(folder) if folder.labels is not None else folder.learner, folder.inputs
    learner = model.learner if isinstance(model, Classifier) else model
    module, output, metadata = _answers(model) if isinstance(model, Classifier) else _embeddings(model)
    weight = next(learner.parameters(), torch.empty(0))
    encoding = None if inputs is None else inputs.module()
    limits: str | None = getattr(encoding, "limits", None)
    axes: tuple[int, ...]  # that may have any length
    module.eval()
    if inputs is not None and encoding is not None:
        name, axes, metadata["input"] = "image", (0, 1), ["height", "width", 3]
        examples = [np.array(page) for page in (_page(90, 140), _page(170, 120), _page(400, 300))]
        x = as_float(inputs.encode(inputs.items(examples))).to(weight)
        with torch.no_grad():
            expected = [module(row[None])[0].numpy() for row in x]
        module = _OfPicture(encoding, module, weight).eval()
    else:
        # Traced with three inputs and checked with five, because the file must accept any number.
        name, axes, seed = "x", (0,), torch.Generator().manual_seed(0)
        examples = [torch.rand(n, *metadata["input"], generator=seed).to(weight).numpy() for n in (3, 5)]
        with torch.no_grad():
            expected = [module(torch.from_numpy(x)).numpy() for x in examples]
    if inputs is not None:
        metadata |= {"inputs": describe_inputs(inputs), "recipe": inputs.recipe} | (
            {"limits": limits} if limits else {}
        )
    with torch.no_grad(), silent():
        try:
            program = torch.onnx.export(
                module,
                (torch.from_numpy(examples[0]),),
                input_names=[name],
                output_names=[output],
                dynamic_shapes=(dict.fromkeys(axes, torch.export.Dim.DYNAMIC),),
                verbose=False,
            )
            assert program is not None
            proto = program.model_proto
        except Exception as error:  # of many kinds, for operations that torch cannot trace
            kind = type(learner).__name__
            raise ModelError(f"torch cannot write {kind} as ONNX, --debug shows why; export the encoder") from error
    for key, value in metadata.items():
        proto.metadata_props.append(onnx.StringStringEntryProto(key=key, value=json.dumps(value)))
    content = proto.SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    answers = [session.run(None, {name: example})[0] for example in examples]
    off = max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(answers, expected, strict=True))
    if not off <= TOLERANCE:
        raise ModelError(f"the exported file differs from the model by {off:.1e} relative; nothing was written")
    replace(Path(path), content)
    return Exported(name, off, limits)


def _page(width: int, height: int) -> Image.Image:
    """Return a white page with a dark ring in its middle, a drawing that needs no cut."""
    page, radius = Image.new("RGB", (width, height), "white"), 0.3 * max(width, height)
    corners = [centre + step for step in (-radius, radius) for centre in (width / 2, height / 2)]
    ImageDraw.Draw(page).ellipse(corners, outline=(20, 30, 60), width=max(width, height) // 20)
    return page
