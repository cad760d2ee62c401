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
from quickstudy.inputs.base import Inputs
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
        self.predict = classifier.adapted(classifier.support)
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
    onnx, onnxruntime = _libraries()
    given, inputs = _opened(model)
    learner = given.learner if isinstance(given, Classifier) else given
    module, output, metadata = _answers(given) if isinstance(given, Classifier) else _embeddings(given)
    weight = next(learner.parameters(), torch.empty(0))
    encoding = None if inputs is None else inputs.module()
    limits: str | None = getattr(encoding, "limits", None)
    module.eval()
    if inputs is not None and encoding is not None:
        traced = _of_pictures(inputs, encoding, module, weight)
        metadata["input"] = ["height", "width", 3]
    else:
        traced = _of_encoded(module, metadata["input"], weight)
    if inputs is not None:
        metadata |= {"inputs": describe_inputs(inputs), "recipe": inputs.recipe} | (
            {"limits": limits} if limits else {}
        )
    proto = _written(traced, output, type(learner).__name__)
    for key, value in metadata.items():
        proto.metadata_props.append(onnx.StringStringEntryProto(key=key, value=json.dumps(value)))
    content = proto.SerializeToString()
    off = _difference(onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"]), traced)
    if not off <= TOLERANCE:
        raise ModelError(f"the exported file differs from the model by {off:.1e} relative; nothing was written")
    replace(Path(path), content)
    return Exported(traced.input, off, limits)


def _libraries() -> tuple[Any, Any]:
    """Return the modules onnx and onnxruntime."""
    try:
        import onnx
        import onnxruntime
        import onnxscript  # noqa: F401
    except ImportError:
        raise SettingError("onnx is not installed; pip install 'quickstudy[onnx]'") from None
    return onnx, onnxruntime


def _opened(model: Path | str | ModelFolder | Learner | Classifier) -> tuple[Learner | Classifier, Inputs | None]:
    """Return the learner or classifier of a model, and the inputs that it takes, if they are known."""
    if isinstance(model, Path | str | ModelFolder):
        folder = model if isinstance(model, ModelFolder) else ModelFolder(model)
        return Classifier.load(folder) if folder.labels is not None else folder.learner, folder.inputs
    return model, model.inputs if isinstance(model, Classifier) else None


class _Traced(NamedTuple):
    """Module to write, the name of its input, the axes that may have any length, and examples with their results.

    It is traced with the first example and checked with all, which differ in these axes.
    """

    module: nn.Module
    input: str
    axes: tuple[int, ...]
    examples: list[np.ndarray]
    expected: list[np.ndarray]


def _of_pictures(inputs: Inputs, encoding: nn.Module, module: nn.Module, weight: Tensor) -> _Traced:
    """Return the module that takes one picture of any size."""
    examples = [np.array(page) for page in (_page(90, 140), _page(170, 120), _page(400, 300))]
    x = as_float(inputs.encode(inputs.items(examples))).to(weight)
    with torch.no_grad():
        expected = [module(row[None])[0].numpy() for row in x]
    return _Traced(_OfPicture(encoding, module, weight).eval(), "image", (0, 1), examples, expected)


def _of_encoded(module: nn.Module, shape: list[int], weight: Tensor) -> _Traced:
    """Return the module that takes any number of encoded inputs."""
    seed = torch.Generator().manual_seed(0)
    examples = [torch.rand(n, *shape, generator=seed).to(weight).numpy() for n in (3, 5)]
    with torch.no_grad():
        expected = [module(torch.from_numpy(x)).numpy() for x in examples]
    return _Traced(module, "x", (0,), examples, expected)


def _written(traced: _Traced, output: str, kind: str) -> Any:
    """Return the module as ONNX's ``ModelProto``."""
    with torch.no_grad(), silent():
        try:
            program = torch.onnx.export(
                traced.module,
                (torch.from_numpy(traced.examples[0]),),
                input_names=[traced.input],
                output_names=[output],
                dynamic_shapes=(dict.fromkeys(traced.axes, torch.export.Dim.DYNAMIC),),
                verbose=False,
            )
            assert program is not None
            return program.model_proto
        except Exception as error:  # of many kinds, for operations that torch cannot trace
            raise ModelError(f"torch cannot write {kind} as ONNX, --debug shows why; export the encoder") from error


def _difference(session: Any, traced: _Traced) -> float:
    """Return the largest difference of the file's answers to the examples, relative to the largest answer."""
    answers = [session.run(None, {traced.input: example})[0] for example in traced.examples]
    return max(float(np.abs(a - b).max() / np.abs(b).max()) for a, b in zip(answers, traced.expected, strict=True))


def _page(width: int, height: int) -> Image.Image:
    """Return a white page with a dark ring in its middle, a drawing that needs no cut."""
    page, radius = Image.new("RGB", (width, height), "white"), 0.3 * max(width, height)
    corners = [centre + step for step in (-radius, radius) for centre in (width / 2, height / 2)]
    ImageDraw.Draw(page).ellipse(corners, outline=(20, 30, 60), width=max(width, height) // 20)
    return page
