"""Choice of the batch statistics by which every norm inside a block normalises."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

Statistics = int | Literal["batch", "population", "record"]
"""An integer n: statistics of the first n rows. "batch": of all rows. "population": the recorded ones. "record": of all
rows, which are recorded too."""


class _Chosen(threading.local):
    """One choice per thread. A ContextVar would work too, but ``torch.compile`` cannot trace it."""

    statistics: Statistics | None = None


_chosen = _Chosen()


def chosen() -> Statistics | None:
    """Return the choice of ``normalised_by``, or None outside of it."""
    return _chosen.statistics


@contextmanager
def normalised_by(statistics: Statistics) -> Iterator[None]:
    """Choose the statistics of every ``BatchNorm`` called inside the block.

    It covers several calls of nets; for a single call, see ``apply``.

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
