"""Data by name: what the command line and settings call for."""

from __future__ import annotations

from pathlib import Path

from quickstudy.errors import SettingError
from quickstudy.tasks.splits import Splits


def load(name: str, root: Path | None = None, *, split: str = "background", seed: int = 0) -> Splits:
    """The train, validation and test classes of a source.

    Args:
        name: "glyphs", "omniglot", "digits", "folders" or "mini-imagenet".
        root: Folder of the data, for those that read files; the cache folder if None.
        split: Of Omniglot.
        seed: Of splits that are shuffled.

    >>> load("digits").test.n_classes
    10
    """
    if name == "glyphs":
        from quickstudy.tasks.glyphs import glyphs

        return glyphs(seed=seed)
    if name == "omniglot":
        from quickstudy.tasks.omniglot import omniglot

        return omniglot(root, split=split, seed=seed)  # type: ignore[arg-type]
    raise SettingError(f"{name}")


def has_ink(name: str) -> bool:
    """Whether images are strokes on a ground, so that a photograph must be turned to match: ink is 1."""
    return name in {"glyphs", "omniglot", "digits"}
