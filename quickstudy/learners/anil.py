"""ANIL (almost no inner loop): MAML that adapts only the head."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import HEAD, GradientLearner
from quickstudy.learners.inner import Params, Sgd, descend
from quickstudy.tasks.task import Examples


class ANIL(GradientLearner):
    """MAML that adapts only the head; the net keeps its meta-learned weights.

    The support is embedded once for any number of steps, and only the head has second derivatives.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Inner step size; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training. From a head of zeros, the first step is the same as MAML's.
        test_steps: Inner steps outside of training; as in training if None.
        loss: "cross_entropy" or "mse".
        learned_head: Meta-learn a classifier's head too, as the paper does.
        transductive: Normalise queries by their own batch statistics.

    Source: Raghu et al. 2020, section 4, arXiv:1909.09157.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> learner = ANIL(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.4,
        inner_steps: int = 5,
        test_steps: int | None = None,
        loss: Loss = "cross_entropy",
        learned_head: bool = False,
        transductive: bool = False,
    ) -> None:
        super().__init__(
            net,
            n_way,
            inner_lr=inner_lr,
            inner_steps=inner_steps,
            test_steps=test_steps,
            loss=loss,
            learned_head=learned_head,
            transductive=transductive,
        )

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the embedded support from the meta-learned head."""
        theta = self.initial(support.y.shape[-1])
        z = self.features(support.x)

        def loss(head: Params, features: Examples, t: int) -> Tensor:
            return self.inner_loss(F.linear(features.x, *(head[name] for name in HEAD)), features.y)

        head = {name: theta[name] for name in HEAD}
        head = descend(loss, head, self.weighted(Examples(z, support.y)), Sgd(self.inner_lr), self.steps)
        return self.predictor(theta | head, support)
