"""A frozen encoder of photographs: a net, and how a photograph is prepared for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.inputs.frozen import FrozenEncoder

EFFICIENTNET = "efficientnet-lite0"
"""The default encoder: 1,280 features, Tan and Le 2019, arXiv:1905.11946, without squeeze and excitation."""
INSTALL = "pip install 'quickstudy[photos]'"
GREY = (0.5, 0.5, 0.5)


class PhotoEncoder(FrozenEncoder):
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

    >>> encoder = PhotoEncoder(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), size=8)
    >>> encoder.encode([Image.new("RGB", (20, 10), "red")])
    tensor([[ 0.5774, -0.5774, -0.5774]])
    """

    embeds: ClassVar[str] = "photos"

    def __init__(
        self,
        net: nn.Module,
        size: int = 224,
        *,
        margin: int = 0,
        mean: Sequence[float] = GREY,
        std: Sequence[float] = GREY,
        licence: str = "unknown",
    ) -> None:
        super().__init__(net, licence)
        self.size, self.margin, self.mean, self.std = size, margin, tuple(mean), tuple(std)

    @property
    def example(self) -> Image.Image:
        """A black image of the net's size."""
        return Image.new("RGB", (self.size, self.size))

    def prepared(self, image: Image.Image) -> np.ndarray:
        """Return the part of an RGB image that the net sees, (size, size, 3) uint8."""
        scale = (self.size + self.margin) / min(image.size)
        width, height = (max(self.size, round(side * scale)) for side in image.size)
        x, y = image.width / width, image.height / height  # pixels of the image per pixel of the scaled one
        left, top = (width - self.size) / 2, (height - self.size) / 2
        box = left * x, top * y, (left + self.size) * x, (top + self.size) * y
        # The cut part alone is resized, so that a panorama costs no more than any other photograph.
        return np.asarray(image.resize((self.size, self.size), Image.Resampling.BICUBIC, box))

    def encode(self, values: Sequence[Image.Image]) -> Tensor:
        """Return the features of RGB images, (n, width), each divided by its length."""
        return self.embed([self.prepared(image) for image in values])

    def embed(self, prepared: Sequence[np.ndarray]) -> Tensor:
        """Return the features of prepared images, n times (size, size, 3), as (n, width), each divided by its length.

        Raises:
            SettingError: The net does not return one vector per image.
        """
        x = torch.from_numpy(np.stack(prepared)).permute(0, 3, 1, 2)
        with torch.inference_mode():
            z = self.of_pixels(x.float() / 255)
        return z.clone()

    def of_pixels(self, x: Tensor) -> Tensor:
        """Return the features of pixels from 0 to 1, (n, 3, size, size), as (n, width), each divided by its length.

        Raises:
            SettingError: The net does not return one vector per image.
        """
        z = self.features((x - _column(self.mean)) / _column(self.std))
        if z.ndim != 2:
            raise SettingError(
                f"the encoder returns shape {tuple(z.shape[1:])} for one image, but (width,) is needed; pool its output"
            )
        return F.normalize(z.float())

    def features(self, x: Tensor) -> Tensor:
        """Return the net's features of prepared images (n, 3, size, size)."""
        z: Tensor = self.net(x)
        return z


def _column(values: Sequence[float]) -> Tensor:
    return torch.tensor(values).view(3, 1, 1)
