"""Features: inputs as a frozen module of any kind sees them."""

from __future__ import annotations

from dataclasses import replace
from typing import overload

import torch
from torch import Tensor, nn

from quickstudy.errors import DataError
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.io.console import shown
from quickstudy.io.tensors import digest


@overload
def features(module: nn.Module, data: ClassDataset, *, batch_size: int = 64) -> ClassDataset: ...
@overload
def features(module: nn.Module, data: Tensor, *, batch_size: int = 64) -> Tensor: ...
def features(module: nn.Module, data: ClassDataset | Tensor, *, batch_size: int = 64) -> ClassDataset | Tensor:
    """Return what a torch module makes of each input, (n, d): what learners of few examples start from.

    A data set's features are kept in the cache, under a hash of the module's weights and of the inputs. The module
    predicts as after ``eval()``, on the device where it lies.

    Args:
        module: Inputs (n, *input) to embeddings (n, d), such as a model of timm without its classifier.
        data: Inputs with labels, or inputs alone (n, *input), such as new ones to predict; uint8 images become floats
            from 0 to 1.
        batch_size: Inputs embedded at once.

    Raises:
        DataError: The module does not make one vector of each input.

    >>> from quickstudy.tasks.digits import digits
    >>> module, data = nn.Sequential(nn.Flatten(), nn.Linear(784, 8)), digits().select([0, 1])
    >>> features(module, data).x.shape, features(module, data.x[:3]).shape
    (torch.Size([360, 8]), torch.Size([3, 8]))
    """
    if isinstance(data, Tensor):
        return _embedded(module, data, batch_size)
    weights = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    key = digest({**weights, "x": data.x, "y": data.y, "about": _bytes(f"{module!r} {data.names}")})
    kept = prepared(f"features-2-{key[:32]}", lambda: replace(data, x=_embedded(module, data.x, batch_size), items=()))
    return replace(kept, items=data.items)


def _embedded(module: nn.Module, x: Tensor, batch_size: int) -> Tensor:
    weight, training = next(module.parameters(), torch.empty(0)), module.training
    module.eval()
    with torch.no_grad():
        batches = shown(torch.split(x, batch_size), "embedding") if len(x) > batch_size else torch.split(x, batch_size)
        z = torch.cat([_at_least_float32(module(_like(weight, as_float(batch)))) for batch in batches])
    module.train(training)
    if z.ndim != 2:
        raise DataError(f"the module makes {tuple(z.shape[1:])} of an input, not one vector; pool or flatten it")
    return z


def _bytes(text: str) -> Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def _like(weight: Tensor, x: Tensor) -> Tensor:
    """Return inputs on the device of the weights, real numbers in their type; token ids stay whole numbers."""
    return x.to(weight) if x.is_floating_point() else x.to(weight.device)


def _at_least_float32(z: Tensor) -> Tensor:
    return z.cpu().to(torch.promote_types(z.dtype, torch.float32))
