"""What learners that adapt by gradient descent share: a net with a head, both adapted on the support."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quickstudy.inner import Params
from quickstudy.learners.base import Learner, Loss, Predictor, embedding_width
from quickstudy.nets import apply
from quickstudy.tasks.task import Examples

HEAD = ("1.weight", "1.bias")
"""Names of the head's parameters."""


class GradientLearner(Learner):
    """A net and a linear head whose weights are what the inner loop changes.

    Classes stand in no order, so a classifier's head has nothing to learn but rows that are equal, which softmax does
    not see. It stays zero, and the first inner step makes each row a prototype (Kao et al. 2022, arXiv:2106.15367); a
    learned head only adds noise.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes of a training task, or dimensions of a real target.
        inner_lr: Inner step size; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training.
        test_steps: Inner steps otherwise; as in training if None.
        loss: "cross_entropy" or "mse", of the inner and the outer loop.
        learned_head: Meta-learn a classifier's head too, as the papers do. That of real targets always is.
        transductive: Normalise queries by their own batch statistics in place of the support's.
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int,
        *,
        inner_lr: float,
        inner_steps: int = 1,
        test_steps: int | None = None,
        loss: Loss = "cross_entropy",
        learned_head: bool = False,
        transductive: bool = False,
    ) -> None:
        super().__init__()
        self.n_way, self.loss, self.learned_head, self.transductive = n_way, loss, learned_head, transductive
        self.inner_lr, self.inner_steps, self.test_steps = inner_lr, inner_steps, test_steps
        head = nn.Linear(embedding_width(net), n_way)
        if loss == "cross_entropy" and not learned_head:
            for p in head.parameters():
                nn.init.zeros_(p.requires_grad_(False))
        self.model = nn.Sequential(net, head)

    @property
    def net(self) -> nn.Module:
        """The net under the head."""
        return self.model[0]

    @property
    def steps(self) -> int:
        """Inner steps, by whether the learner trains."""
        return self.inner_steps if self.training or self.test_steps is None else self.test_steps

    def initial(self, n_way: int) -> Params:
        """Parameters before the first inner step, with a head for ``n_way`` classes."""
        return self.resized(dict(self.model.named_parameters()), n_way)

    def resized(self, params: Params, n_way: int) -> Params:
        """Parameters, or something for each of their entries, with a head for ``n_way`` classes.

        Class positions are dealt at random in training, so the rows of the head are exchangeable: fewer classes use the
        first rows, and a class beyond the trained ones starts from the mean row.
        """
        if n_way != self.n_way:
            for name in HEAD:
                head = params[name]
                extra = head.mean(0, keepdim=True).expand(max(0, n_way - self.n_way), *head.shape[1:])
                params = {**params, name: torch.cat([head[:n_way], extra])}
        return params

    def support_loss(self, params: Params, examples: Examples) -> Tensor:
        """Inner loss on support examples, normalised by their own batch statistics."""
        return self.inner_loss(apply(self.model, examples.x, params, statistics="batch"), examples.y)

    def inner_loss(self, prediction: Tensor, y: Tensor) -> Tensor:
        """What the inner loop descends: the loss of predictions (n, d) against targets (n, d), a scalar.

        Cross-entropy is summed over the classes and averaged over the shots, as in MAML's published code: a step then
        moves a class's row of the head equally far whatever the number of ways.
        """
        loss = self.prediction_loss(prediction, y)
        return loss * y.shape[-1] if self.loss == "cross_entropy" else loss

    def predictor(self, params: Params, support: Examples) -> Predictor:
        """Answers of the adapted weights; statistics are the support's, or the queries' own where transductive."""
        n = len(support.x)

        def predict(x: Tensor) -> Tensor:
            if self.transductive:
                return apply(self.model, x, params, statistics="batch")
            return apply(self.model, torch.cat([support.x, x]), params, statistics=n)[n:]

        return predict
