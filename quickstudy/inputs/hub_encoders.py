"""Encoders of photographs and sentences by Hugging Face's libraries, from the Hub or a folder."""

from __future__ import annotations

import json
import math
import os
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from quickstudy.errors import SettingError, one_line
from quickstudy.inputs.photo_encoder import GREY, PhotoEncoder
from quickstudy.inputs.text_encoder import TextEncoder

PROCESSOR = "preprocessor_config.json"
"""File that models of images have."""
_READ = ("*.json", "*.txt", "*.model", "*.safetensors")
_NOT_READ = ("onnx/*", "openvino/*")
_SEE = "see its page on the Hub"
_ONE_AT_A_TIME = threading.Lock()
"""A tokenizer refuses to be used by two threads at once."""


def model_folder(name: str, *, download: bool = False) -> Path:
    """Return the folder of a model of Hugging Face's libraries, whose weights are safetensors and which needs no code.

    Args:
        name: Name on the Hub, or a folder.
        download: Whether a model of the Hub that is not on this machine is downloaded.

    Raises:
        SettingError: huggingface_hub is not installed, there is no such model, its weights are pickled, or it needs
            code that it brings.
    """
    if os.path.isdir(name):
        folder = Path(name)
    else:
        try:
            from huggingface_hub import snapshot_download
            from huggingface_hub.errors import LocalEntryNotFoundError
        except ImportError:
            raise SettingError(
                f"no encoder {name!r}: `quickstudy encoders` lists those that are here; for models of the Hugging "
                f"Face Hub, pip install transformers"
            ) from None
        patterns: dict[str, Any] = {"allow_patterns": _READ, "ignore_patterns": _NOT_READ}
        try:
            folder = Path(snapshot_download(name, local_files_only=not download, **patterns))
        except Exception as error:  # of many kinds: no network, an unknown model, an invalid name
            reason = "it is not on this machine" if isinstance(error, LocalEntryNotFoundError) else one_line(error)
            raise SettingError(
                f"no encoder {name[:80]!r}: {reason}; `quickstudy encoders` lists those that are here, and "
                f"`quickstudy encoders NAME --download` fetches a model of the Hugging Face Hub"
            ) from error
    for place, _, files in os.walk(folder):
        if "pytorch_model.bin" in files and not any(file.endswith(".safetensors") for file in files):
            raise SettingError(
                f"no encoder {name!r}: its weights in {str(Path(place, 'pytorch_model.bin'))!r} are a pickle, which is "
                f"code; choose a model with safetensors"
            )
        for file in files:
            if file in ("config.json", "tokenizer_config.json", PROCESSOR) and "auto_map" in _entries(place, file):
                raise SettingError(
                    f"no encoder {name!r}: its {file} asks for code of the model, which is never run; choose another "
                    f"model"
                )
    return folder


def _entries(place: str | Path, file: str) -> dict[str, Any]:
    """Return the object in a JSON file; empty if there is no object, which the libraries explain."""
    try:
        entries = json.loads(Path(place, file).read_text("utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _revision(folder: Path) -> str | None:
    """Return the revision of a model in the Hub's cache, whose folders are named after it."""
    return folder.name if folder.parent.name == "snapshots" else None


class TransformersEncoder(PhotoEncoder):
    """A vision model of Hugging Face's transformers, such as DINOv2, SigLIP, CLIP or ConvNeXt V2.

    Its features are its pooled output, or the mean over places if it has none. Size, crop, mean and standard deviation
    are those of its image processor.

    Args:
        name: Name on the Hub, or a folder.
        download: Whether a model that is not on this machine is downloaded.

    Raises:
        SettingError: transformers is not installed, or there is no such model, or it does not embed images.
    """

    def __init__(self, name: str, *, download: bool = False) -> None:
        folder = model_folder(name, download=download)
        if not (folder / PROCESSOR).is_file():
            raise SettingError(f"no encoder {name!r} of photos: {str(folder)!r} has no {PROCESSOR}; choose another")
        try:
            from transformers import AutoModel
            from transformers.utils import logging
        except ImportError:
            raise SettingError("transformers is not installed; pip install transformers") from None
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                model = AutoModel.from_pretrained(
                    folder, use_safetensors=True, local_files_only=True, trust_remote_code=False
                ).float()
                processor = json.loads((folder / PROCESSOR).read_text())
        except Exception as error:  # of many kinds: an unknown model, a damaged file
            raise SettingError(f"no encoder {name!r}: {one_line(error)}; choose another, or repair it") from error
        model = getattr(model, "vision_model", model)  # of a model for images and texts
        size, resized = _sides(processor)
        super().__init__(
            model,
            size,
            margin=resized - size,
            mean=processor.get("image_mean") or GREY,
            std=processor.get("image_std") or GREY,
            licence=_SEE,
        )
        self.revision = _revision(folder)

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


class SentenceTransformersEncoder(TextEncoder):
    """A model of sentence-transformers, or a text model of Hugging Face's transformers.

    The features of a model of transformers are the means over word pieces of its last layer.

    Args:
        name: Name on the Hub, or a folder.
        download: Whether a model that is not on this machine is downloaded.

    Raises:
        SettingError: sentence-transformers is not installed, or there is no such model, or it does not embed texts.

    Source: Reimers and Gurevych 2019, arXiv:1908.10084.
    """

    def __init__(self, name: str, *, download: bool = False) -> None:
        folder = model_folder(name, download=download)
        if foreign := [each for each in _modules(folder) if not each.startswith("sentence_transformers.")]:
            raise SettingError(
                f"no encoder {name!r}: its modules.json asks for the code {foreign[0][:80]!r}, which is never run; "
                f"choose another model"
            )
        if not any(folder.rglob("tokenizer*.json")) and not any(folder.rglob("vocab.txt")):
            raise SettingError(f"no encoder {name!r} of sentences: {str(folder)!r} has no tokenizer; choose another")
        try:
            from sentence_transformers import SentenceTransformer
            from transformers.utils import logging
        except ImportError:
            raise SettingError("sentence-transformers is not installed; pip install 'quickstudy[text]'") from None
        logging.disable_progress_bar()  # type: ignore[no-untyped-call]  # reading takes a tenth of a second
        try:
            model = SentenceTransformer(
                str(folder),
                device="cpu",
                local_files_only=True,
                trust_remote_code=False,
                model_kwargs={"use_safetensors": True},
            ).float()
        except Exception as error:  # of many kinds: an unknown model, a damaged file
            raise SettingError(f"no encoder {name!r}: {one_line(error)}; choose another, or repair it") from error
        super().__init__(
            model, length=lambda texts: [len(row) for row in self.pieces(texts)], most=_most(model), licence=_SEE
        )
        self.revision = _revision(folder)

    def features(self, texts: list[str]) -> Tensor:
        """Return the embeddings of texts."""
        model: Any = self.net
        with _ONE_AT_A_TIME:
            z: Tensor = model.encode(texts, convert_to_tensor=True, show_progress_bar=False)
        return z

    def pieces(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the word pieces of each text, however long."""
        tokenizer: Any = self.net.tokenizer
        if not texts:
            return []
        with _ONE_AT_A_TIME:
            numbers = tokenizer(list(texts), add_special_tokens=False, truncation=False, verbose=False)["input_ids"]
        return [tokenizer.convert_ids_to_tokens(row) for row in numbers]


def _modules(folder: Path) -> list[str]:
    """Return the names of the classes that a folder of sentence-transformers asks for."""
    try:
        return [str(entry["type"]) for entry in json.loads((folder / "modules.json").read_text("utf-8"))]
    except FileNotFoundError:  # a folder of transformers
        return []
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        raise SettingError(f"{str(folder / 'modules.json')!r} cannot be read: {one_line(error)}; repair it") from error


def _most(model: Any) -> float:
    """Return the number of word pieces that a model reads at once, without those that its tokenizer adds."""
    longest: float = math.inf if model.max_seq_length is None else model.max_seq_length
    for module in model.modules():
        places = getattr(module, "position_embeddings", None)
        if isinstance(places, nn.Embedding):  # RoBERTa counts from the number after that of its padding
            first = 0 if places.padding_idx is None else places.padding_idx + 1
            longest = min(longest, places.num_embeddings - first)
    return longest - int(model.tokenizer.num_special_tokens_to_add())
