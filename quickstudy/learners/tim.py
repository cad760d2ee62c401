"""TIM: class weights that maximise the information between queries and their answers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.base import prototypes
from quickstudy.learners.inner import Adam
from quickstudy.learners.transductive import TransductiveLearner, directions, present
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree

_TINY = 1e-12  # keeps a logarithm finite


class TIM(TransductiveLearner):
    """TIM: class weights that fit the support, with confident answers to the queries that occur equally often.

    The loss is fit * cross-entropy of the support - balance * entropy of the queries' mean answer + confidence * mean
    entropy of their answers. A logit is -temperature / 2 times the squared distance of the embedding, of length 1, and
    the class's weights. These start at the prototypes.

    It assumes that each class occurs about equally often among the queries; a lower ``balance`` assumes it less.

    The net is trained as in Prototypical Networks; in the paper, as an ordinary classifier.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features).
        alternating: True alternates closed-form updates of assignments and weights (TIM-ADM); False descends the loss
            by Adam (TIM-GD).
        test_steps: Steps; 150 if alternating and 1000 if not, as in the paper, if None.
        inner_lr: Step size of Adam, 1e-4 if None; only if not alternating.
        temperature: Factor of the squared distances.
        fit: Weight of the support's loss.
        balance: Weight of the entropy of the mean answer.
        confidence: Weight of the mean entropy of the answers.

    Raises:
        SettingError: ``inner_lr`` is given although updates alternate.

    Source: Boudiaf et al. 2020, section 2 and proposition 1, arXiv:2008.11297.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> TIM(MLP(2, (8,)), test_steps=3).adapt(support)(torch.randn(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        alternating: bool = True,
        test_steps: int | None = None,
        inner_lr: float | None = None,
        temperature: float = 15.0,
        fit: float = 0.1,
        balance: float = 1.0,
        confidence: float = 0.1,
    ) -> None:
        super().__init__(net)
        if alternating and inner_lr is not None:
            raise SettingError("inner_lr has no effect if updates alternate; leave it out, or set alternating=False")
        self.alternating, self.test_steps, self.inner_lr = alternating, test_steps, inner_lr
        self.temperature, self.fit, self.balance, self.confidence = temperature, fit, balance, confidence

    @property
    def steps(self) -> int:
        """Number of steps on a task."""
        return self.test_steps if self.test_steps is not None else 150 if self.alternating else 1000

    def answers(self, support: Examples, x: Tree) -> Tensor:
        """Return the logits of the queries by the weights after the steps."""
        support, query = directions(support, self.embed(x))
        update = self._alternated if self.alternating else self._descended
        return self.logits(query, update(prototypes(*support), support, query), support.y)

    def logits(self, z: Tensor, weights: Tensor, y: Tensor) -> Tensor:
        """Return the logits of embeddings of length 1, (m, d), given class weights and the support's classes."""
        half = 0.5 * (1 + (weights**2).sum(-1))  # squared distances, expanded: lengths are 1 or near, so none is large
        return present(y, self.temperature * (z @ weights.T - half))

    def objective(self, weights: Tensor, support: Examples, query: Tensor) -> Tensor:
        """Return the loss of class weights, a scalar."""
        fit = -(support.y * self.logits(support.x, weights, support.y).log_softmax(-1)).sum(-1).mean()
        p = self.logits(query, weights, support.y).softmax(-1)
        return self.fit * fit - self.balance * entropy(p.mean(0)) + self.confidence * entropy(p).mean()

    def gradient(self, weights: Tensor, z: Tensor, y: Tensor) -> Tensor:
        """Return the gradient of the loss by the class weights, by hand: autograd takes many times as long.

        Args:
            weights: Class weights, (n_way, d).
            z: Embeddings of length 1 of support and queries, (n + m, d).
            y: Classes of the support, (n, n_way).
        """
        shares, n = self.logits(z, weights, y).softmax(-1), len(y)
        p = shares[n:]
        surprise = self.balance * (p.mean(0) + _TINY).log() - self.confidence * (p + _TINY).log()
        by_query = p / len(p) * (surprise - (p * surprise).sum(-1, keepdim=True))
        by_logits = self.temperature * torch.cat([self.fit / n * (shares[:n] - y), by_query])
        return by_logits.T @ z - by_logits.sum(0)[:, None] * weights

    def _descended(self, weights: Tensor, support: Examples, query: Tensor) -> Tensor:
        rule, params = Adam(1e-4 if self.inner_lr is None else self.inner_lr, beta1=0.9), {"weights": weights}
        state, z = rule.init(params), torch.cat([support.x, query])
        for t in range(self.steps):
            params, state = rule.step(params, {"weights": self.gradient(params["weights"], z, support.y)}, state, t)
        return params["weights"]

    def _alternated(self, weights: Tensor, support: Examples, query: Tensor) -> Tensor:
        """Return the weights after alternating updates of the queries' assignments and of the weights."""
        (x, y), ratio = support, len(support.y) / len(query)
        fit, root = self.fit / (1 + self.confidence), self.balance / (1 + self.balance)
        for _ in range(self.steps):
            p_support, p = (self.logits(z, weights, y).softmax(-1) for z in (x, query))
            sharp = p ** (1 + self.confidence)
            q = sharp / sharp.sum(0).clamp(min=1e-12) ** root
            q = q / q.sum(-1, keepdim=True)
            over = fit * ((y - p_support).T @ x + p_support.sum(0)[:, None] * weights)
            over = over + ratio * ((q - p).T @ query + p.sum(0)[:, None] * weights)
            weights = over / (fit * y.sum(0) + ratio * q.sum(0)).clamp(min=1e-12)[:, None]
        return weights


def entropy(p: Tensor) -> Tensor:
    """Return the entropy of distributions, (..., n) -> (...).

    >>> entropy(torch.tensor([0.5, 0.5]))
    tensor(0.6931)
    """
    return -(p * (p + _TINY).log()).sum(-1)
