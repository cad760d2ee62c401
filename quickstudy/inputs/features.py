"""Features: embeddings of inputs by a frozen torch module."""

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
    """Return the embedding of each input by a torch module, (n, d).

    A data set's features are saved in the cache, under a hash of the module's weights and of the inputs. Saved features
    are used only if those of five inputs are the same when the module computes them again. The module runs in
    evaluation mode, on the device of its weights.

    Args:
        module: Inputs (n, *input) to embeddings (n, d), such as a model of timm without its classifier.
        data: Inputs with labels, or only inputs (n, *input), such as new ones to predict. Uint8 images are converted
            to floats from 0 to 1.
        batch_size: Number of inputs that are embedded at once.

    Raises:
        DataError: The module does not return one vector per input.

    >>> from quickstudy.tasks.digits import digits
    >>> module, data = nn.Sequential(nn.Flatten(), nn.Linear(784, 8)), digits().select([0, 1])
    >>> features(module, data).x.shape, features(module, data.x[:3]).shape
    (torch.Size([360, 8]), torch.Size([3, 8]))
    """
    if isinstance(data, Tensor):
        return _embedded(module, data, batch_size)
    weights = {f"module.{name}": tensor for name, tensor in module.state_dict().items()}
    key = digest({**weights, "x": data.x, "y": data.y, "about": _bytes(f"{module!r} {data.names}")})
    embedded = prepared(
        f"features-2-{key[:32]}",
        lambda: replace(data, x=_embedded(module, data.x, batch_size), items=()),
        lambda saved: _repeats(module, data.x, saved.x),
    )
    return replace(embedded, items=data.items)


def _repeats(module: nn.Module, x: Tensor, z: Tensor) -> bool:
    """Return whether a module still embeds a few inputs as it did, to half of the digits of its number type.

    Plain attributes, buffers that are not saved and the code of a module are no part of a key, but change its output.
    Other machines, threads and batch sizes change the last digits alone.
    """
    n = len(x)
    rows = sorted({0, 1, n // 2, n - 2, n - 1} & set(range(n)))
    if not rows:
        return True
    new, types = _embedded(module, x[rows], len(rows)), [weight.dtype for weight in module.parameters()]
    eps = max(torch.finfo(dtype).eps for dtype in (*types, x.dtype, z.dtype) if dtype.is_floating_point)
    return new.shape == z[rows].shape and bool((new - z[rows]).abs().max() <= eps**0.5 * z[rows].abs().max())


def _embedded(module: nn.Module, x: Tensor, batch_size: int) -> Tensor:
    weight, training = next(module.parameters(), torch.empty(0)), module.training
    batches = torch.split(x, batch_size)
    module.eval()
    try:
        with torch.no_grad():
            parts = [
                _at_least_float32(module(_like(weight, as_float(batch))))
                for batch in (shown(batches, "embedding") if len(batches) > 1 else batches)
            ]
    finally:
        module.train(training)
    z = torch.cat(parts)
    if z.ndim != 2:
        raise DataError(
            f"the module returns shape {tuple(z.shape[1:])} per input, not one vector; pool or flatten its output"
        )
    return z


def _bytes(text: str) -> Tensor:
    return torch.tensor(list(text.encode()), dtype=torch.uint8)


def _like(weight: Tensor, x: Tensor) -> Tensor:
    """Return inputs on the device of the weights; real numbers take the weights' type, token ids stay integers."""
    return x.to(weight) if x.is_floating_point() else x.to(weight.device)


def _at_least_float32(z: Tensor) -> Tensor:
    return z.cpu().to(torch.promote_types(z.dtype, torch.float32))
