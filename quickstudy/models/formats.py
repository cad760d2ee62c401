"""Earlier formats of a model's folder, converted to the current one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from quickstudy.errors import ModelError


def labels_of_format_2(path: Path, config: dict[str, Any]) -> tuple[str, ...] | None:
    """Return the labels of a classifier of formats 1 and 2, which had them in their config.

    Raises:
        ModelError: They are not a list of words.
    """
    labels = config.get("labels")
    if labels is None:
        return None
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelError(f"{path / 'config.json'}: its labels are not a list of words; adapt again")
    return tuple(labels)


def from_format_1(config: dict[str, Any]) -> dict[str, Any]:
    """Convert a config of format 1, in which each kind of input had a separate entry, to format 2."""
    config = dict(config)
    entries = {"images": config.pop("images", None), "table": config.pop("table", None)}
    if encoder := config.pop("encoder", None):
        entries["sentences"] = {"encoder": encoder}
    given = {name: entry for name, entry in entries.items() if entry is not None}
    for name, entry in given.items():
        config["inputs"] = {"name": name, **entry} if isinstance(entry, dict) else entry
    return config | {"format": 2}
