"""Encoders of photographs by name: from packages, from Hugging Face's transformers, or your own."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

from PIL import Image

from quickstudy.inputs.hub_encoders import TransformersEncoder
from quickstudy.inputs.photo_encoder import EFFICIENTNET, PhotoEncoder
from quickstudy.registry import Registry

ENCODERS: Registry[type[PhotoEncoder]] = Registry(
    "encoder",
    {EFFICIENTNET: "quickstudy.inputs.efficientnet:EfficientNetLite0"},
    base="quickstudy.inputs.photo_encoder:PhotoEncoder",
    group="quickstudy.encoders",
)
"""Encoders of photographs by name. Other names are those of vision models on the Hugging Face Hub, or their folders."""


@lru_cache(maxsize=2)
def photo_encoder(name: str = EFFICIENTNET, *, download: bool = False) -> PhotoEncoder:
    """Return an encoder of photographs.

    Args:
        name: Name in ``ENCODERS``, or of a vision model for Hugging Face's transformers: a name on the Hub, such as
            facebook/dinov2-small, or a folder. Only safetensors are read, and no code is loaded.
        download: Whether a model of the Hub that is not on this machine is downloaded.

    Raises:
        SettingError: A package is missing, or the encoder is not there or is damaged.
    """
    if name not in ENCODERS:
        return TransformersEncoder(name, download=download)
    build: Callable[[], PhotoEncoder] = ENCODERS[name]
    return build()


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
    """Measure what an encoder of photographs costs.

    Raises:
        SettingError: The encoder is not there.
    """
    encoder = photo_encoder(name, download=download)
    image, times = Image.new("RGB", (encoder.size, encoder.size)), []
    encoder.encode([image])
    for _ in range(5):
        start = time.perf_counter()
        encoder.encode([image])
        times.append(1e3 * (time.perf_counter() - start))
    n = encoder.n_parameters
    return Cost(name, "photos", encoder.width, n, 4 * n / 1e6, sorted(times)[2], encoder.licence)
