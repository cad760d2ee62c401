"""Frozen encoders of photographs by name: from packages, from Hugging Face's transformers, or your own."""

from __future__ import annotations

import json
import warnings
from collections.abc import Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError, one_line
from quickstudy.io.tensors import sum_of_values
from quickstudy.registry import Registry

EFFICIENTNET = "efficientnet-lite0"
"""The default encoder: 1,280 features, Tan and Le 2019, arXiv:1905.11946, without squeeze and excitation."""
INSTALL = "pip install 'quickstudy[photos]'"
_GREY = (0.5, 0.5, 0.5)


class PhotoEncoder:
    """A frozen net, and how a photograph is prepared for it.

    A photograph is scaled until its shorter side fits, and its centre is cut out: the preparation of most nets that
    were trained on ImageNet. A class of your own is registered by ``ENCODERS.register("mine", Mine)``; it takes no
    arguments.

    Args:
        net: Module from images (n, 3, size, size) to features (n, width).
        size: Pixels per side that the net takes.
        margin: Pixels of the shorter side beyond the size, which are cut off.
        mean, std: Channels from 0 to 1 are reduced by the mean and divided by the standard deviation.
        licence: Licence of the weights.

    Attributes:
        sha256: Checksum of the weights.

    >>> encoder = PhotoEncoder(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), size=8)
    >>> encoder.encode([Image.new("RGB", (20, 10), "red")])
    tensor([[ 0.5774, -0.5774, -0.5774]])
    """

    def __init__(
        self,
        net: nn.Module,
        size: int = 224,
        *,
        margin: int = 0,
        mean: Sequence[float] = _GREY,
        std: Sequence[float] = _GREY,
        licence: str = "unknown",
    ) -> None:
        self.net, self.size, self.margin = net.eval().requires_grad_(False), size, margin
        self.mean, self.std, self.licence = tuple(mean), tuple(std), licence
        self.sha256 = sum_of_values([*net.parameters(), *net.buffers()])

    @cached_property
    def width(self) -> int:
        """Number of features."""
        return self.encode([Image.new("RGB", (self.size, self.size))]).shape[1]

    @property
    def n_parameters(self) -> int:
        """Number of the net's weights."""
        return sum(p.numel() for p in self.net.parameters())

    def prepared(self, image: Image.Image) -> np.ndarray:
        """Return the part of an RGB image that the net sees, (size, size, 3) uint8."""
        scale = (self.size + self.margin) / min(image.size)
        width, height = (max(self.size, round(side * scale)) for side in image.size)
        left, top = (width - self.size) / 2, (height - self.size) / 2
        box = [at * side / whole for at, side, whole in (
            (left, image.width, width), (top, image.height, height),
            (left + self.size, image.width, width), (top + self.size, image.height, height),
        )]  # fmt: skip
        # The cut part alone is resized, so that a panorama costs no more than any other photograph.
        return np.asarray(image.resize((self.size, self.size), Image.Resampling.BICUBIC, box))

    def encode(self, images: Sequence[Image.Image]) -> Tensor:
        """Return the features of RGB images, (n, width), each divided by its length."""
        return self.embed([self.prepared(image) for image in images])

    def embed(self, prepared: Sequence[np.ndarray]) -> Tensor:
        """Return the features of prepared images, n times (size, size, 3), as (n, width), each divided by its length.

        Raises:
            SettingError: The net does not return one vector per image.
        """
        x = torch.from_numpy(np.stack(prepared)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            z = self.features((x.float() / 255 - _column(self.mean)) / _column(self.std))
        if z.ndim != 2:
            raise SettingError(
                f"the encoder returns shape {tuple(z.shape[1:])} for one image, but (width,) is needed; pool its output"
            )
        return F.normalize(z.float()).clone()

    def features(self, x: Tensor) -> Tensor:
        """Return the net's features of prepared images (n, 3, size, size)."""
        z: Tensor = self.net(x)
        return z


ENCODERS: Registry[type[PhotoEncoder]] = Registry(
    "encoder",
    {EFFICIENTNET: "quickstudy.inputs.efficientnet:EfficientNetLite0"},
    base="quickstudy.inputs.encoders:PhotoEncoder",
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
    return ENCODERS[name]() if name in ENCODERS else TransformersEncoder(name, download=download)


class TransformersEncoder(PhotoEncoder):
    """A vision model of Hugging Face's transformers, such as DINOv2, SigLIP, CLIP or ConvNeXt V2.

    Its features are its pooled output, or the mean over places if it has none. Size, crop, mean and standard deviation
    are those of its own image processor.

    Args:
        name: Name on the Hub, or a folder.
        download: Whether a model that is not on this machine is downloaded.

    Raises:
        SettingError: transformers is not installed, or there is no such model.
    """

    def __init__(self, name: str, *, download: bool = False) -> None:
        try:
            from transformers import AutoConfig, AutoModel
            from transformers.utils import cached_file, logging
        except ImportError:
            raise SettingError(
                f"no encoder {name!r}: choose one of {', '.join(ENCODERS)}, or install transformers for models of the "
                f"Hugging Face Hub; pip install 'quickstudy[text]'"
            ) from None
        here = {"local_files_only": not download, "trust_remote_code": False}
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                config = AutoConfig.from_pretrained(name, **here)
                model = AutoModel.from_pretrained(name, use_safetensors=True, **here)
                processor = json.loads(Path(cached_file(name, "preprocessor_config.json", **here)).read_text())
        except Exception as error:  # of many kinds: no network, an unknown model, a damaged file
            also = "" if download or Path(name).is_dir() else "; a model of the Hub is fetched with --download"
            raise SettingError(f"no encoder {name!r}: {one_line(error)}{also}") from error
        model = getattr(model, "vision_model", model)  # of a model for images and texts
        size, resized = _sides(processor)
        super().__init__(
            model,
            size,
            margin=resized - size,
            mean=processor.get("image_mean") or _GREY,
            std=processor.get("image_std") or _GREY,
            licence="see its page on the Hub",
        )
        self.revision: str | None = getattr(config, "_commit_hash", None)

    def features(self, x: Tensor) -> Tensor:
        """Return the pooled output, or the mean over places."""
        out: Any = self.net(pixel_values=x)
        pooled: Tensor | None = getattr(out, "pooler_output", None)
        if pooled is not None:
            return pooled.flatten(1)
        last: Tensor = out.last_hidden_state
        return last.mean(1) if last.ndim == 3 else last.mean((2, 3))


def _sides(processor: dict[str, Any]) -> tuple[int, int]:
    """Return the size that a processor's net takes, and that of the shorter side before the centre is cut out."""

    def side(entry: Any) -> int | None:
        if isinstance(entry, dict):
            entry = entry.get("shortest_edge") or entry.get("height")
        return int(entry) if entry else None

    resized = side(processor.get("size")) or 224
    cropped = side(processor.get("crop_size")) if processor.get("do_center_crop", False) else None
    size = cropped or resized
    if not cropped and (share := processor.get("crop_pct")):  # ConvNeXt: the size is after the crop
        resized = int(size / share)
    return size, max(size, resized)


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(3, 1, 1)
