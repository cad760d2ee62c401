"""Private and undocumented names of torch; nets, learners and training use them through this file alone.

A new version of torch may change any of them. ``tests/nets/fast/test_private.py`` checks for each name that it still
means what this package relies on. ``tests/test_architecture.py`` refuses such a name in another file. The private
functions for trees of tensors lie in ``quickstudy/tasks/tree.py``, since tasks lie below nets.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError

BATCH_NORMS = nn.modules.batchnorm._BatchNorm
"""Base class of torch's batch normalisation layers."""

INSTANCE_NORMS = nn.modules.instancenorm._InstanceNorm
"""Base class of torch's instance normalisation layers."""


def inside_transform() -> bool:
    """Return whether a transform of ``torch.func`` (``vmap``, ``grad``, ``vjp``, ...) is running now."""
    return torch._C._are_functorch_transforms_active()


def mapped_now(tensors: Iterable[Any]) -> bool:
    """Return whether the innermost transform that is running now is a ``vmap`` over at least one of the tensors."""
    top = torch._C._functorch.peek_interpreter_stack()
    if top is None or top.key() != torch._C._functorch.TransformType.Vmap:
        return False
    return any(torch._C._functorch.maybe_get_level(x) == top.level() for x in tensors if isinstance(x, Tensor))


def conv3x3_gradient(g: Tensor, x: Tensor, weight: Tensor, of: int) -> Tensor:
    """Return the gradient of ``conv2d(x, weight, padding=1)`` with respect to one of its inputs.

    Args:
        g: Gradient of the output, (n, width, h, w).
        x: Images, (n, channels, h, w); only the shape is read if ``of`` is 0.
        weight: (width, channels, 3, 3); only the shape is read if ``of`` is 1.
        of: 0 for the gradient of ``x``, 1 for that of ``weight``.
    """
    wanted = [of == i for i in range(3)]
    return cast(
        Tensor,
        torch.ops.aten.convolution_backward(g, x, weight, None, [1, 1], [1, 1], [1, 1], False, [0, 0], 1, wanted)[of],
    )


def max_pool_into(x: Tensor, out: Tensor, indices: Tensor) -> None:
    """Write ``max_pool2d(x, 2, return_indices=True)`` into two tensors; both keep their memory format.

    Args:
        x: Images, (n, channels, h, w).
        out: Pooled images, (n, channels, h // 2, w // 2).
        indices: Position of each pooled pixel in the flattened map (h * w); int64, of the shape of ``out``.
    """
    torch.ops.aten.max_pool2d_with_indices.out(x, [2, 2], out=out, indices=indices)


def channel_moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and variance, without Bessel's correction, of each channel of (n, channels, h, w).

    It is 10 to 30 times as fast as ``torch.var_mean``.
    """
    return torch.batch_norm_update_stats(x, None, None, 0.0)


def is_weight_norm(function: Any) -> bool:
    """Return whether a function is torch's fused weight normalisation, as a ``TorchFunctionMode`` receives it.

    Its arguments are v, g and the dimension.
    """
    return function is torch._weight_norm


def plain_weight_norm(v: Tensor, g: Tensor, dim: int) -> Tensor:
    """Return v * g / ||v|| by plain operations; the norm is over all axes but one.

    The second derivative of torch's fused function is wrong by some percent (torch 2.13).
    """
    return v * (g / torch.norm_except_dim(v, 2, dim))


def has_weight_norm(module: nn.Module) -> bool:
    """Return whether a module normalises a weight by ``nn.utils.parametrizations.weight_norm`` or the older hook."""
    hooks = module._forward_pre_hooks.values()
    return type(module).__name__ == "_WeightNorm" or any(type(hook).__name__ == "WeightNorm" for hook in hooks)


@contextmanager
def without_saved_tensor_hooks(message: str) -> Iterator[None]:
    """Refuse hooks on saved tensors that are set inside the block; those set outside of it wait.

    ``torch.autograd.graph.disable_saved_tensors_hooks`` refuses those outside of it too.

    Raises:
        SettingError: A hook is set, with this message.
    """
    before = torch._C._autograd._saved_tensors_hooks_get_disabled_error_message()
    torch._C._autograd._saved_tensors_hooks_disable(message, False)
    try:
        yield
    except RuntimeError as error:
        if str(error) == message:
            raise SettingError(message) from None
        raise
    finally:
        if before is None:
            torch._C._autograd._saved_tensors_hooks_enable()
        else:
            torch._C._autograd._saved_tensors_hooks_disable(before, False)


def has_hooks(module: nn.Module) -> bool:
    """Return whether a module has hooks that run before or after its forward pass."""
    return bool(module._forward_pre_hooks or module._forward_hooks)


def own_parameters(module: nn.Module) -> dict[str, nn.Parameter | None]:
    """Return the parameters of a module without those of its children; a repeated parameter is repeated."""
    return module._parameters


def own_buffers(module: nn.Module) -> dict[str, Tensor | None]:
    """Return the buffers of a module without those of its children."""
    return module._buffers


def children(module: nn.Module) -> dict[str, nn.Module | None]:
    """Return the direct children of a module by name; a repeated child is repeated."""
    return module._modules


def version(tensor: Tensor) -> int:
    """Return the number of in-place changes of a tensor so far."""
    return tensor._version
