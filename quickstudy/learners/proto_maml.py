"""Proto-MAML: MAML whose head starts from the prototypes."""

from __future__ import annotations

from torch import nn

from quickstudy.learners.base import Predictor, prototypes
from quickstudy.learners.gradient import HEAD, GradientLearner
from quickstudy.learners.inner import Sgd
from quickstudy.tasks.task import Examples


class ProtoMAML(GradientLearner):
    """MAML whose initial head gives the logits of Prototypical Networks, for any number of classes.

    Minus the squared distance of z to a prototype c is 2 c z - |c|^2, up to a number that all classes share. The rows
    of the head start as 2 c and its biases as -|c|^2; the outer gradient passes through both.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Number of classes of a training task.
        inner_lr: Inner step size; the loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training.
        test_steps: Inner steps outside of training; as in training if None.
        first_order: Drop the second derivatives, as the paper does; those through the prototypes are kept.
        adapt_only: Parameters that the inner loop changes, "all" or a part (see ``GradientLearner``), but not "body".
        transductive: Normalise queries by their own batch statistics.

    Source: Triantafillou et al. 2020, section 3, arXiv:1903.03096.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> learner = ProtoMAML(MLP(2, (8,)))
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.01,
        inner_steps: int = 5,
        test_steps: int | None = None,
        first_order: bool = False,
        adapt_only: str = "all",
        transductive: bool = False,
    ) -> None:
        super().__init__(
            net,
            n_way,
            inner_lr=inner_lr,
            inner_steps=inner_steps,
            test_steps=test_steps,
            adapt_only=adapt_only,
            transductive=transductive,
        )
        self.first_order = first_order

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the support from the meta-learned net and the prototypes."""
        z = self.features(support.x)
        c = prototypes(z.to(support.y.dtype), support.y)
        head = {name: p.to(z.dtype) for name, p in zip(HEAD, (2 * c, -(c**2).sum(-1)), strict=True)}
        theta = self.initial(self.n_way) | head
        phi = self.descended(theta, support, Sgd(self.inner_lr), self.steps, first_order=self.first_order)
        return self.predictor(phi, support)
