"""Convolution, statistics and max pooling of a block, by the fastest way on the device."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from quickstudy.nets.fast.conv import conv3x3
from quickstudy.nets.fast.first import patch_moments, patches, pooled_product
from quickstudy.nets.fast.pooled import moments_and_pool

FEW_CHANNELS = 4
"""Most channels for which a convolution is computed as a product with the unfolded images; it is cheap to recompute."""


def conv_moments_and_pool(x: Tensor, weight: Tensor, sign: Tensor, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return mean and variance of each channel of a 3x3 convolution over the first rows, and all rows pooled 2x2.

    Args:
        x: Images, (n, channels, height, width).
        weight: (width, channels, 3, 3); the padding is 1.
        sign: Sign of each channel, (width,). Where it is negative, the smallest of four pixels is taken, else the
            largest.
        rows: Number of rows that the statistics are taken from, 1 to n.

    Returns:
        Mean (width,), variance (width,) without Bessel's correction, and images of half the size.
    """
    if x.is_cuda or torch.is_autocast_enabled(x.device.type) or torch.compiler.is_compiling():
        maps = F.conv2d(x, weight, padding=1)
        var, mean = torch.var_mean(maps[:rows], (0, 2, 3), correction=0)
        sign = torch.where(sign < 0, -1.0, 1.0).to(maps.dtype).view(-1, 1, 1)
        return mean, var, F.max_pool2d(maps * sign, 2) * sign
    if x.shape[1] <= FEW_CHANNELS:
        unfolded = patches(x)
        return *patch_moments(unfolded, weight, rows), pooled_product(unfolded, weight, sign, x.shape[2])
    return moments_and_pool(conv3x3(x, weight), sign, rows)
