"""Distributions of actions. They draw from numbers that they are given, so they need no generator."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

Noise = Tensor
"""Uniform numbers in [0, 1), (*, size)."""


@dataclass(frozen=True)
class Categorical:
    """Distribution of a discrete action.

    Args:
        logits: Unnormalised log-probabilities, (*, n).

    >>> Categorical(torch.zeros(1, 2)).sample(torch.tensor([[0.7]]))
    tensor([1])
    """

    logits: Tensor

    def sample(self, noise: Noise) -> Tensor:
        """Return actions (*,) for uniform numbers (*, 1)."""
        return (noise >= self.logits.softmax(-1).cumsum(-1)[..., :-1]).sum(-1)

    def mode(self) -> Tensor:
        """Return the most probable actions, (*,)."""
        return self.logits.argmax(-1)

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-probability of each action, (*,)."""
        return self.logits.log_softmax(-1).gather(-1, action.unsqueeze(-1)).squeeze(-1)

    def kl(self, other: Categorical) -> Tensor:
        """Return the Kullback-Leibler divergence of this distribution from another, (*,)."""
        mine = self.logits.log_softmax(-1)
        return (mine.exp() * (mine - other.logits.log_softmax(-1))).sum(-1)

    def entropy(self) -> Tensor:
        """Return the entropy, (*,)."""
        mine = self.logits.log_softmax(-1)
        return -(mine.exp() * mine).sum(-1)

    def detach(self) -> Categorical:
        """Return the same distribution as a constant."""
        return Categorical(self.logits.detach())


@dataclass(frozen=True)
class Gaussian:
    """Distribution of a continuous action with independent coordinates.

    Args:
        mean: Means, (*, size).
        log_std: Logarithms of the standard deviations, broadcast to the means.

    >>> Gaussian(torch.zeros(1, 2), torch.zeros(2)).sample(torch.tensor([[0.5, 0.8413447]]))
    tensor([[0.0000, 1.0000]])
    """

    mean: Tensor
    log_std: Tensor

    def sample(self, noise: Noise) -> Tensor:
        """Return actions (*, size) for uniform numbers (*, size)."""
        normal: Tensor = torch.special.ndtri(noise.clamp(1e-7, 1 - 1e-7))
        return self.mean + self.log_std.exp() * normal

    def mode(self) -> Tensor:
        """Return the means, (*, size)."""
        return self.mean

    def log_prob(self, action: Tensor) -> Tensor:
        """Return the log-density of each action, (*,)."""
        z: Tensor = (action - self.mean) * (-self.log_std).exp()
        return -0.5 * z.square().sum(-1) - self.log_std.sum(-1) - 0.5 * math.log(2 * math.pi) * z.shape[-1]

    def kl(self, other: Gaussian) -> Tensor:
        """Return the Kullback-Leibler divergence of this distribution from another, (*,)."""
        ratio = (2 * (self.log_std - other.log_std)).exp()
        apart = (self.mean - other.mean).square() * (-2 * other.log_std).exp()
        return (0.5 * (ratio + apart - 1) + other.log_std - self.log_std).sum(-1)

    def entropy(self) -> Tensor:
        """Return the entropy, (*,)."""
        each = self.log_std.sum(-1) + 0.5 * (1 + math.log(2 * math.pi)) * self.mean.shape[-1]
        return each.expand(self.mean.shape[:-1])

    def detach(self) -> Gaussian:
        """Return the same distribution as a constant."""
        return Gaussian(self.mean.detach(), self.log_std.detach())


Distribution = Categorical | Gaussian
