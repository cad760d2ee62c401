"""Transductive fine-tuning: the net and a new head are trained on a task's support and queries."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.learners.base import Predictor, prototypes
from quickstudy.learners.inner import Adam, Params, descend
from quickstudy.learners.part import names_of_part
from quickstudy.learners.transductive import Jointly, TransductiveLearner, present
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree

_HEAD = "new head"  # no parameter of a net has a name with a space


class TransductiveFinetune(TransductiveLearner):
    """Transductive fine-tuning: a task trains the net and a new head to fit the support and to be sure of the queries.

    The loss is the cross-entropy of the support plus the mean entropy of the answers to the queries. The head is
    linear on embeddings of length 1, and starts from the directions of the class means. Adam takes full steps.

    The net is trained as in Prototypical Networks; in the paper, as an ordinary classifier.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features). Its weights with ``requires_grad=False`` stay.
        adapt_only: Parameters of the net that a task changes. "all"; "head" for none of them; "norm" for the norms'
            weights and biases. Any other value is a pattern of the names in ``net.named_parameters()``.
        test_steps: Steps on a task.
        inner_lr: Step size of Adam.
        scale: Factor of the logits.

    Raises:
        SettingError: ``adapt_only`` matches nothing.

    Source: Dhillon et al. 2020, section 3, arXiv:1909.02729.

    >>> import torch
    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> TransductiveFinetune(MLP(2, (8,)), test_steps=3).adapt(support)(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        adapt_only: str = "all",
        test_steps: int = 25,
        inner_lr: float = 5e-5,
        scale: float = 1.0,
    ) -> None:
        super().__init__(net)
        self.adapt_only, self.test_steps, self.inner_lr, self.scale = adapt_only, test_steps, inner_lr, scale
        self._chosen = frozenset[str]() if adapt_only == "head" else names_of_part(net, adapt_only)

    def adapt(self, support: Examples) -> Predictor:
        """Keep the support, on which the net is trained together with the queries."""
        return Jointly(self, support)

    def answers(self, support: Examples, x: Tree) -> Tensor:
        """Return the logits of the queries after the steps."""
        z = F.normalize(self.embed(support.x), dim=-1)
        theta = {name: p for name, p in self.net.named_parameters() if name in self._chosen and p.requires_grad}
        start = theta | {_HEAD: F.normalize(prototypes(z, support.y), dim=-1)}

        def loss(params: Params, data: tuple[Examples, Tree], t: int) -> Tensor:
            known, query = (self._logits(params, each, data[0].y) for each in (data[0].x, data[1]))
            unsure = -(query.softmax(-1) * query.log_softmax(-1)).sum(-1).mean()
            return -(data[0].y * known.log_softmax(-1)).sum(-1).mean() + unsure

        rule = Adam(self.inner_lr, beta1=0.9)
        params = descend(loss, start, (support, x), rule, self.test_steps, first_order=True)
        return self._logits(params, x, support.y)

    def _logits(self, params: Params, x: Tree, y: Tensor) -> Tensor:
        net = {name: p for name, p in params.items() if name != _HEAD}
        z = F.normalize(self.embed(x, params=net), dim=-1)
        return present(y, self.scale * z @ params[_HEAD].T)
