"""Batch normalisation inside tasks: the caller chooses the statistics, and no forward pass changes the net.

The source of the statistics decides whether a prediction is inductive. With statistics of the whole batch, an answer
depends on the other queries (transductive). With statistics of the support's rows alone, or of a population that was
measured once on training data, it does not (inductive).
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.nets.call import apply
from quickstudy.nets.fast.block import conv_moments_and_pool
from quickstudy.nets.fast.private import BATCH_NORMS
from quickstudy.nets.statistics import Statistics, chosen
from quickstudy.tasks.tree import Tree


class BatchNorm(nn.Module):
    """Batch normalisation over every axis except the channels', by the statistics that ``apply`` chooses.

    Called outside of ``apply``, it normalises by the batch in training mode, and by the recorded population in
    evaluation mode.

    Args:
        width: Number of channels, the second axis of the input.
        eps: Constant that is added to the variance.

    Raises:
        SettingError: The population's statistics are needed, but none were recorded.

    Source: Ioffe and Szegedy 2015, arXiv:1502.03167; inductive and transductive use, Nichol et al. 2018, section 6.1,
    arXiv:1803.02999.

    >>> x = torch.tensor([[1.0], [3.0], [9.0]])
    >>> apply(BatchNorm(1), x, statistics=2).round(decimals=3).flatten().tolist()
    [-1.0, 1.0, 7.0]
    """

    mean: Tensor
    var: Tensor

    def __init__(self, width: int, *, eps: float = 1e-5) -> None:
        super().__init__()
        self.width, self.eps = width, eps
        self.weight = nn.Parameter(torch.ones(width))
        self.bias = nn.Parameter(torch.zeros(width))
        self.register_buffer("mean", torch.zeros(width))
        # A variance is never negative, so a file also shows whether a population was recorded.
        self.register_buffer("var", torch.full((width,), -1.0))
        self.recorded = False  # once True, the variance is not checked again

    def _source(self) -> Statistics:
        """Return the statistics in use now."""
        source = chosen()
        if source is None:
            source = "batch" if self.training else "population"
        self.recorded = self.recorded or (source == "population" and bool((self.var >= 0).all()))
        if source == "population" and not self.recorded:
            raise SettingError(
                "a BatchNorm has no population statistics yet; train the learner, or record them with "
                "learner.observe(x) or qs.record_population(net, x)"
            )
        return source

    def _record(self, mean: Tensor, var: Tensor) -> None:
        self.mean.copy_(mean)
        self.var.copy_(var)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise inputs, (n, width, ...)."""
        source = self._source()
        if source == "population":
            return F.batch_norm(x, self.mean, self.var, self.weight, self.bias, eps=self.eps)
        shape = (1, self.width) + (1,) * (x.ndim - 2)
        if source == "batch":
            # Scaled afterwards: torch's second derivative of batch_norm with a weight is wrong by percents under vmap.
            z = F.batch_norm(x, None, None, training=True, eps=self.eps)
            return torch.addcmul(self.bias.view(shape), z, self.weight.view(shape))
        rows = x if source == "record" else x[:source]
        var, mean = torch.var_mean(rows, dim=[0, *range(2, x.ndim)], correction=0)
        if source == "record":
            self._record(mean, var)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return torch.addcmul((self.bias - mean * scale).view(shape), x, scale.view(shape))

    def pooled(self, x: Tensor, weight: Tensor) -> Tensor:
        """Return ``max_pool2d(norm(conv2d(x, weight, padding=1)), 2)`` at a quarter of the work.

        Normalising is increasing, or decreasing where its weight is negative. It can therefore follow pooling, which
        then takes the largest or the smallest pixel.

        Args:
            x: Images, (n, channels, height, width).
            weight: Weight of the convolution, (width, channels, 3, 3).
        """
        source = self._source()
        if source == "population":  # fixed statistics: the norm is folded into the convolution
            scale = self.weight * torch.rsqrt(self.var + self.eps)
            folded = weight * scale.view(-1, 1, 1, 1)
            return F.max_pool2d(F.conv2d(x, folded, self.bias - self.mean * scale, padding=1), 2)
        shape = (1, self.width, 1, 1)
        if source == "batch" and torch.is_autocast_enabled(x.device.type):  # there, moments alone cost more
            z = F.batch_norm(F.conv2d(x, weight, padding=1), None, None, training=True, eps=self.eps)
            sign = torch.where(self.weight < 0, -1.0, 1.0).to(z.dtype).view(shape)
            z = F.max_pool2d(z * sign, 2) * sign
            return torch.addcmul(self.bias.to(z.dtype).view(shape), z, self.weight.to(z.dtype).view(shape))
        rows = source if isinstance(source, int) else len(x)
        mean, var, pooled = conv_moments_and_pool(x, weight, self.weight.detach(), rows)
        if source == "record":
            self._record(mean, var)
        scale = self.weight * torch.rsqrt(var + self.eps)
        return torch.addcmul((self.bias - mean * scale).view(shape), pooled, scale.view(shape))


@torch.no_grad()
def record_population(net: nn.Module, x: Tree) -> None:
    """Measure every ``BatchNorm``'s statistics on ``x`` and keep them as the population's.

    One exact pass replaces a running average, so training has no side effects.

    Args:
        net: Net whose ``BatchNorm`` layers are measured, and changed in place.
        x: Training inputs, (n, *input).

    Source: precise batch statistics, Wu and Johnson 2021, section 3, arXiv:2105.07576.

    >>> norm = BatchNorm(1)
    >>> record_population(norm, torch.tensor([[1.0], [3.0]]))
    >>> norm.mean.item(), norm.var.item()
    (2.0, 1.0)
    """
    if any(isinstance(module, BatchNorm) for module in net.modules()):
        apply(net, x, statistics="record")


def convert_norms(net: nn.Module) -> nn.Module:
    """Return a copy of a net with each of torch's batch norms replaced by a ``BatchNorm``.

    Weights and statistics stay the same. Torch's own norms write running statistics, which an inner loop would change
    in each task, or normalise queries by each other, which is transductive. ``BatchNorm`` does neither.

    Args:
        net: Any module; it stays as it is.

    Raises:
        SettingError: A batch norm is an instance of another class, which may do more than normalise.

    >>> converted = convert_norms(nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3)))
    >>> type(converted[1]).__name__
    'BatchNorm'
    """
    net = copy.deepcopy(net)
    like = next(net.parameters(), torch.empty(0))
    made: dict[nn.Module, BatchNorm] = {}
    for name, module in list(net.named_modules(remove_duplicate=False)):
        if isinstance(module, BATCH_NORMS):
            if module not in made:
                made[module] = _converted(name, module, like)
            if not name:
                return made[module]
            parent, _, last = name.rpartition(".")
            setattr(net.get_submodule(parent), last, made[module])
    return net


def _converted(name: str, norm: BATCH_NORMS, like: Tensor) -> BatchNorm:
    if type(norm) not in (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm):
        raise SettingError(
            f"{name!r} is a {type(norm).__name__}, which may do more than normalise; replace it by a qs.BatchNorm"
        )
    converted = BatchNorm(norm.num_features, eps=norm.eps).to(like).train(norm.training)
    for part in ("weight", "bias"):
        p = getattr(norm, part)
        if p is None:
            getattr(converted, part).requires_grad_(False)
        else:
            setattr(converted, part, p)
    if norm.running_mean is not None and norm.running_var is not None:
        converted.mean, converted.var = norm.running_mean, norm.running_var
    return converted
