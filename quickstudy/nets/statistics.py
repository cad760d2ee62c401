"""Whose batch statistics normalise: chosen by the caller, for every norm inside."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Statistics = int | Literal["batch", "population", "record"]
"""Of the first n rows, of all rows, as recorded, or of all rows while recording them."""


class _Chosen(threading.local):
    """One choice a thread. A ContextVar would do, but ``torch.compile`` cannot trace it."""

    statistics: Statistics | None = None


_chosen = _Chosen()


def chosen() -> Statistics | None:
    """Return what ``normalised_by`` chose, None outside of it."""
    return _chosen.statistics


@contextmanager
def normalised_by(statistics: Statistics) -> Iterator[None]:
    """Choose the statistics of every ``BatchNorm`` inside: for more than one call of a net; see ``apply``.

    >>> import torch
    >>> from quickstudy.nets import BatchNorm
    >>> with normalised_by("batch"):
    ...     z = BatchNorm(1)(torch.tensor([[1.0], [3.0]]))
    >>> z.round().flatten().tolist()
    [-1.0, 1.0]
    """
    before = _chosen.statistics
    _chosen.statistics = statistics
    try:
        yield
    finally:
        _chosen.statistics = before
