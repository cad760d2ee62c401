"""Nets and learners that have seen inputs, as after training."""

from typing import TypeVar

import torch
from torch import Tensor, nn

from quickstudy.learners import Learner
from quickstudy.nets import input_shape, record_population

Module = TypeVar("Module", bound=nn.Module)


def seen(module: Module, x: Tensor | None = None) -> Module:
    """The same net or learner, with the population statistics of some inputs recorded; of noise if None."""
    if x is None:
        shape = input_shape(module)
        assert shape is not None
        x = torch.rand(32, *shape, generator=torch.Generator().manual_seed(0))
    if isinstance(module, Learner):
        module.observe(x)
    else:
        record_population(module, x)
    return module
