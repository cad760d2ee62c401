"""Data of a run as features of a frozen encoder."""

from __future__ import annotations

from quickstudy.inputs.base import Inputs, Item
from quickstudy.inputs.dataset import ClassDataset
from quickstudy.inputs.embedded import embedded
from quickstudy.inputs.frozen import Encoded
from quickstudy.inputs.images import Images
from quickstudy.inputs.photos import Photos
from quickstudy.runs.needs import kind_of
from quickstudy.runs.run import Run
from quickstudy.runs.schema import Settings
from quickstudy.tasks.source import Loaded
from quickstudy.tasks.splits import Splits


def encoder_of(settings: Settings) -> Inputs | None:
    """Return the inputs by the encoder that the settings choose; None if the source chooses its inputs.

    Raises:
        SettingError: The encoder is not there.
    """
    kind = kind_of(settings.data, settings.inputs)
    if kind is None or not kind.frozen or (settings.inputs, settings.encoder) == (None, None):
        return None
    return kind.fitted(()) if settings.encoder is None else kind.encoded_by(settings.encoder)


def as_photos(loaded: Loaded, inputs: Inputs | None) -> Loaded:
    """Return images that a source has in memory as features of photographs, if these are the inputs that are needed."""
    if not isinstance(inputs, Photos) or not isinstance(loaded.inputs, Images):
        return loaded
    return Loaded(Splits(*(_features(data, inputs) for data in loaded.splits)), inputs)


def _features(data: ClassDataset, photos: Photos) -> ClassDataset:
    labels = [data.names[c] for c in data.y.tolist()]
    items = [Item(f"{label}, row {row}", x.numpy()) for row, (x, label) in enumerate(zip(data.x, labels, strict=True))]
    return embedded(photos, list(zip(items, labels, strict=True)))


def check_weights(inputs: Inputs, run: Run) -> None:
    """Refuse to continue a run with other weights of its encoder.

    Raises:
        ModelError: The weights differ.
    """
    if not isinstance(inputs, Encoded) or not (run.folder / "config.json").is_file():  # before the first validation
        return
    if isinstance(before := run.model.inputs, Encoded):
        before.check_weights(inputs.sha256 or "unknown")
