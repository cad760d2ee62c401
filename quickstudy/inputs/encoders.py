"""Frozen encoders of photographs and sentences by name: from packages, from Hugging Face's libraries, or your own."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Any, NamedTuple

from quickstudy.errors import SettingError
from quickstudy.inputs.frozen import FrozenEncoder
from quickstudy.inputs.hub_encoders import PROCESSOR, SentenceTransformersEncoder, TransformersEncoder, model_folder
from quickstudy.inputs.photo_encoder import EFFICIENTNET, PhotoEncoder
from quickstudy.inputs.text_encoder import MINILM, TextEncoder
from quickstudy.registry import Registry

ENCODERS: Registry[type[FrozenEncoder]] = Registry(
    "encoder",
    {
        EFFICIENTNET: "quickstudy.inputs.efficientnet:EfficientNetLite0",
        MINILM: "quickstudy.inputs.minilm:MiniLM",
    },
    base="quickstudy.inputs.frozen:FrozenEncoder",
    group="quickstudy.encoders",
)
"""Frozen encoders by name. Other names are those of models on the Hugging Face Hub, or their folders."""
_SHORT = {"photos": EFFICIENTNET, "minilm": MINILM}
"""Short names of the encoders that are used if none is given."""


def full_name(name: str) -> str:
    """Return the name under which an encoder is saved.

    >>> full_name("minilm"), full_name("facebook/dinov2-small")
    ('all-MiniLM-L6-v2', 'facebook/dinov2-small')
    """
    return _SHORT.get(name, name)


def photo_encoder(name: str = EFFICIENTNET, *, download: bool = False) -> PhotoEncoder:
    """Return an encoder of photographs.

    Args:
        name: Name in ``ENCODERS``, or of a vision model for Hugging Face's transformers: a name on the Hub, such as
            facebook/dinov2-small, or a folder. Only safetensors are read, and no code is loaded.
        download: Whether a model of the Hub that is not on this machine is downloaded.

    Raises:
        SettingError: A package is missing, or the encoder is not there, is damaged or does not embed photographs.
    """
    encoder: PhotoEncoder = _encoder(full_name(name), PhotoEncoder, download)
    return encoder


def sentence_encoder(name: str = MINILM, *, download: bool = False) -> TextEncoder:
    """Return an encoder of sentences, a function from texts to embeddings of length 1.

    Args:
        name: Name in ``ENCODERS``, or of a model of sentence-transformers or a text model of Hugging Face's
            transformers: a name on the Hub, or a folder. Only safetensors are read, and no code is loaded.
        download: Whether a model of the Hub that is not on this machine is downloaded.

    Raises:
        SettingError: A package is missing, or the encoder is not there, is damaged or does not embed sentences.
    """
    encoder: TextEncoder = _encoder(full_name(name), TextEncoder, download)
    return encoder


def _encoder(name: str, base: type[FrozenEncoder], download: bool) -> Any:
    """Return an encoder that extends a base class."""
    if name not in ENCODERS:
        return _made(TransformersEncoder if base is PhotoEncoder else SentenceTransformersEncoder, name, download)
    build: Any = ENCODERS[name]
    if not issubclass(build, base):
        choice = ", ".join(each for each in ENCODERS if issubclass(ENCODERS[each], base))
        raise SettingError(
            f"the encoder {name!r} embeds {build.embeds}, not {base.embeds}; choose one of {choice}, or a model of the "
            f"Hugging Face Hub"
        )
    return _made(build)


@lru_cache(maxsize=4)
def _made(build: Any, name: str | None = None, download: bool = False) -> Any:
    """Return an encoder; a class that was defined again, as in a notebook, is built again."""
    return build() if name is None else build(name, download=download)


class Cost(NamedTuple):
    """Cost of an encoder on this machine.

    Attributes:
        encoder: Name of the encoder.
        inputs: Kind of inputs that it embeds.
        width: Number of features.
        parameters: Number of weights.
        megabytes: Memory of the weights, in 10^6 bytes.
        milliseconds: Time to embed one input on this machine: the median of five.
        licence: Licence of the weights.
    """

    encoder: str
    inputs: str
    width: int
    parameters: int
    megabytes: float
    milliseconds: float
    licence: str


def cost(name: str = EFFICIENTNET, *, download: bool = False) -> Cost:
    """Measure what an encoder costs.

    A model of the Hub embeds photographs if it has an image processor, otherwise sentences.

    Raises:
        SettingError: The encoder is not there.
    """
    name = full_name(name)
    if name in ENCODERS:
        photos = issubclass(ENCODERS[name], PhotoEncoder)
    else:
        photos = (model_folder(name, download=download) / PROCESSOR).is_file()
    encoder: FrozenEncoder = _encoder(name, PhotoEncoder if photos else TextEncoder, download)
    times = []
    encoder.encode([encoder.example])
    for _ in range(5):
        start = time.perf_counter()
        encoder.encode([encoder.example])
        times.append(1e3 * (time.perf_counter() - start))
    n = encoder.n_parameters
    return Cost(name, encoder.embeds, encoder.width, n, 4 * n / 1e6, sorted(times)[2], encoder.licence)
