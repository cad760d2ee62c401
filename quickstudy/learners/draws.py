"""Torch's random numbers, for nets that draw some (dropout): seeded for one task, then restored."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


def states() -> list[Tensor]:
    """Return the state of the generator of the CPU, and of each GPU in use."""
    used = torch.cuda.is_initialized()  # type: ignore[no-untyped-call]
    return [torch.get_rng_state(), *(torch.cuda.get_rng_state_all() if used else [])]


def restore(saved: list[Tensor]) -> None:
    """Restore a state of the generators."""
    torch.set_rng_state(saved[0])
    for i, state in enumerate(saved[1:]):
        torch.cuda.set_rng_state(state, i)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Draw all random numbers inside the block from a seed, and restore the generators afterwards.

    >>> with seeded(3):
    ...     a = torch.rand(1)
    >>> with seeded(3):
    ...     bool(a == torch.rand(1))
    True
    """
    before = states()
    # Not torch.manual_seed: it also sets a seed for GPUs that are not in use yet, which could not be undone.
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.manual_seed_all(seed)
    try:
        yield
    finally:
        restore(before)


def same(a: list[Tensor], b: list[Tensor]) -> bool:
    """Return whether two states are equal, which means that nothing was drawn in between."""
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))
