"""Nearest neighbour on raw pixels: the accuracy on a task without any learned features."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Adapted, Learner, Predictor
from quickstudy.learners.metric import most_similar, squared_distances
from quickstudy.tasks.task import Examples


class NearestPixels(Learner):
    """Nearest neighbour: the class of the support image with the smallest Euclidean distance between pixels.

    There is no net. Training only learns how fast the probability falls with squared distance; no answer depends on it.

    Args:
        channels: Channels of the images.
        size: Height and width of the images, pixels.

    Source: "1-Nearest Neighbor" of Koch, Zemel and Salakhutdinov 2015, section 4, "Siamese Neural Networks for One-shot
    Image Recognition".

    >>> learner = NearestPixels(size=2)
    >>> support = Examples(torch.stack([torch.zeros(1, 2, 2), torch.ones(1, 2, 2)]), torch.eye(2))
    >>> learner.adapt(support)(torch.full((1, 1, 2, 2), 0.5)).tolist()
    [[-1.0, -1.0]]
    """

    def __init__(self, channels: int = 1, size: int = 28) -> None:
        super().__init__()
        self.channels, self.size = channels, size
        self.log_scale = nn.Parameter(torch.zeros(()))

    def adapt(self, support: Examples) -> Predictor:
        """Store the support; a query is compared with each of its images."""
        return ByPixels(self, support)


@dataclass(frozen=True, eq=False)
class ByPixels(Adapted):
    """Logits by the nearest support example of each class, on pixels."""

    learner: NearestPixels
    support: Examples

    def __call__(self, x: Tensor) -> Tensor:
        """Compare images, (m, channels, size, size) -> (m, n_way)."""
        distances = squared_distances(x.flatten(1), self.support.x.flatten(1))
        return most_similar(-self.learner.log_scale.exp() * distances, self.support.y)
