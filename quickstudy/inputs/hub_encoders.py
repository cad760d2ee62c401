"""Encoders of photographs by Hugging Face's transformers, from the Hub or a folder."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

from torch import Tensor

from quickstudy.errors import SettingError, one_line
from quickstudy.inputs.photo_encoder import EFFICIENTNET, GREY, PhotoEncoder


class TransformersEncoder(PhotoEncoder):
    """A vision model of Hugging Face's transformers, such as DINOv2, SigLIP, CLIP or ConvNeXt V2.

    Its features are its pooled output, or the mean over places if it has none. Size, crop, mean and standard deviation
    are those of its image processor.

    Args:
        name: Name on the Hub, or a folder.
        download: Whether a model that is not on this machine is downloaded.

    Raises:
        SettingError: transformers is not installed, or there is no such model.
    """

    def __init__(self, name: str, *, download: bool = False) -> None:
        try:
            from transformers import AutoConfig, AutoModel
            from transformers.utils import logging
            from transformers.utils.hub import cached_file
        except ImportError:
            raise SettingError(
                f"no encoder {name!r}: choose {EFFICIENTNET}, or for models of the Hugging Face Hub, pip install "
                f"transformers"
            ) from None
        here = {"local_files_only": not download, "trust_remote_code": False}
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                config = AutoConfig.from_pretrained(name, **here)
                model = AutoModel.from_pretrained(name, use_safetensors=True, **here)
                processor = json.loads(Path(str(cached_file(name, "preprocessor_config.json", **here))).read_text())
        except Exception as error:  # of many kinds: no network, an unknown model, a damaged file
            also = "" if download or Path(name).is_dir() else "; a model of the Hub is fetched with --download"
            raise SettingError(f"no encoder {name!r}: {one_line(error)}{also}") from error
        model = getattr(model, "vision_model", model)  # of a model for images and texts
        size, resized = _sides(processor)
        super().__init__(
            model,
            size,
            margin=resized - size,
            mean=processor.get("image_mean") or GREY,
            std=processor.get("image_std") or GREY,
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
