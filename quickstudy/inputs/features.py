"""Inputs embedded once by a frozen module, and kept."""

from __future__ import annotations

import hashlib

import torch
from torch import Tensor, nn

from quickstudy.errors import DataError
from quickstudy.inputs.cache import prepared
from quickstudy.inputs.dataset import ClassDataset, as_float
from quickstudy.io.console import shown


def features(module: nn.Module, data: ClassDataset, *, batch_size: int = 64) -> ClassDataset:
    """A data set as any torch module sees it, (n, d): what learners of few examples start from.

    Kept in the cache under a hash of the module's weights and of the inputs, so that each is embedded once. The module
    predicts as after ``eval()``, on the device where it lies.

    Args:
        module: Inputs (n, *input) to embeddings (n, d), such as a model of timm without its classifier.
        data: Inputs and labels; uint8 images become floats from 0 to 1.
        batch_size: Inputs embedded at once.

    Raises:
        DataError: The module does not make one vector of each input.

    >>> from quickstudy.tasks.digits import digits
    >>> features(nn.Sequential(nn.Flatten(), nn.Linear(784, 8)), digits().select([0, 1])).x.shape
    torch.Size([360, 8])
    """
    weight = next(module.parameters(), torch.empty(0))
    sha = hashlib.sha256(f"{module!r} {data.x.dtype} {list(data.x.shape)} {data.names}".encode())
    for tensor in (*module.state_dict().values(), data.x, data.y):
        sha.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)

    def embed() -> ClassDataset:
        training = module.training
        module.eval()
        with torch.no_grad():
            parts = [
                _at_least_float32(module(_like(weight, as_float(x))))
                for x in shown(torch.split(data.x, batch_size), "embedding")
            ]
        module.train(training)
        found = torch.cat(parts)
        if found.ndim != 2:
            raise DataError(
                f"the module makes {tuple(found.shape[1:])} of an input, not one vector; pool or flatten it"
            )
        return ClassDataset(found, data.y, data.names)

    return prepared(f"features-1-{sha.hexdigest()[:32]}", embed)


def _like(weight: Tensor, x: Tensor) -> Tensor:
    """Inputs on the device of the weights, real numbers in their type; token ids stay whole numbers."""
    return x.to(weight) if x.is_floating_point() else x.to(weight.device)


def _at_least_float32(z: Tensor) -> Tensor:
    return z.cpu().to(torch.promote_types(z.dtype, torch.float32))
