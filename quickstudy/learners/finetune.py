"""Prototypical Networks whose net is fine-tuned on each task, as in P>M>F."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from quickstudy.errors import SettingError
from quickstudy.inputs.augment import augmented
from quickstudy.inputs.warp import warped
from quickstudy.learners.base import Adapted, Learner, Predictor, prototypes
from quickstudy.learners.inner import Adam, Params, descend
from quickstudy.learners.metric import MetricLearner, nearest_mean
from quickstudy.learners.part import names_of_part
from quickstudy.nets.fast.private import inside_transform
from quickstudy.tasks.task import Examples, Task
from quickstudy.tasks.tree import Tree, concatenated, mapped

_DROPPED = 0.1  # share of the numbers of an input that is no image which a copy sets to zero


class _Start(MetricLearner):
    """The learner before a task changes its net."""

    def comparison(self, support: Examples) -> Predictor:
        """Return a comparison by minus the squared distance to each prototype."""
        return nearest_mean(support)


class Finetune(Learner):
    """Prototypical Networks whose net is fine-tuned on each task before it is used.

    Each step of Adam computes the prototypes of the clean support and classifies changed copies of it. The rate is the
    one with the most right answers on held-out examples, the smallest of equals. Each half of the support is learned
    once, and the other half is answered. Rate 0 is Prototypical Networks exactly, and the default where every class has
    one example. Training is that of Prototypical Networks; predictions are inductive.

    Copies of photographs, 3 channels from 0 to 1, are cropped, mirrored and changed in colour. Copies of other images
    are warped. In copies of other real inputs, a tenth of the numbers is zero. Token ids stay as they are. Copies
    depend only on the support; its order and the numbers of its classes do not matter.

    Args:
        net: Maps inputs to embeddings, (n, net.out_features). Its weights with ``requires_grad=False`` stay.
        adapt_only: Parameters that a task changes, "all" or a part. "norm" means the norms' weights and biases. Any
            other value is a pattern of the names in ``net.named_parameters()``, such as "low_rank.*" for ``LowRank``.
        test_steps: Steps on a task.
        rates: Rates to choose from.
        one_shot_rate: Rate where there are no more examples than classes, so that none can be held out.

    Raises:
        SettingError: ``adapt_only`` matches nothing, or there is no rate or a negative one.

    Source: Hu et al. 2022, section 3.3, arXiv:2204.07305. There the rate is chosen for each domain.

    >>> from quickstudy.nets import MLP
    >>> support = Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1))
    >>> Finetune(MLP(2, (8,))).adapt(support)(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        *,
        adapt_only: str = "all",
        test_steps: int = 10,
        rates: tuple[float, ...] = (0.0, 1e-4, 1e-3, 1e-2),
        one_shot_rate: float = 0.0,
    ) -> None:
        super().__init__()
        if not rates or min(*rates, one_shot_rate) < 0:
            raise SettingError(f"rates={rates}, one_shot_rate={one_shot_rate}: give at least one rate, none below 0")
        self.start = _Start(net)
        self.adapt_only, self.test_steps = adapt_only, test_steps
        self.rates, self.one_shot_rate = tuple(sorted(map(float, rates))), float(one_shot_rate)
        self._chosen = names_of_part(net, adapt_only)

    @property
    def net(self) -> nn.Module:
        """The net, with the weights from which each task starts."""
        return self.start.net

    @property
    def steps(self) -> int:
        """Number of steps on a task."""
        return self.test_steps

    def adapt(self, support: Examples) -> Predictor:
        """Choose the rate, fine-tune the net, and compare queries with the prototypes of the new embeddings."""
        theta = dict(self.net.named_parameters())
        moving: Params = {name: p for name, p in theta.items() if name in self._chosen and p.requires_grad}
        ordered = self._ordered(support)
        rate = self._rate(moving, ordered)
        params = self._descended(moving, ordered, rate)
        z = self.start.embed(support.x, params=params)
        rate = rate if isinstance(rate, Tensor) else z.new_tensor(rate)
        return FineTuned(self, params, nearest_mean(Examples(z, support.y)), rate)

    def meta_loss(self, task: Task) -> Tensor:
        """Return the loss of Prototypical Networks: training does not fine-tune."""
        return self.start.meta_loss(task)

    def observe(self, x: Tree) -> None:
        """Record the population's batch statistics."""
        self.start.observe(x)

    def _ordered(self, support: Examples) -> Examples:
        """Return the support in an order that depends on its embeddings alone, class by class."""
        z = self.start.embed(support.x).detach()
        key = z @ torch.linspace(-1, 1, z.shape[1]).to(z)
        of_class = support.y @ prototypes(key[:, None].to(support.y), support.y)
        order = key.argsort()
        return support.at(order[of_class[order, 0].argsort(stable=True)])

    def _rate(self, moving: Params, support: Examples) -> float | Tensor:
        """Return the rate with the most right answers on held-out examples; under ``vmap``, a tensor."""
        n, n_way = support.y.shape
        if n <= n_way:
            return self.one_shot_rate
        if len(self.rates) == 1:
            return self.rates[0]
        a, b = support.at(slice(0, None, 2)), support.at(slice(1, None, 2))
        right: list[Tensor] = []
        for rate in self.rates:
            right.append(self._right(moving, a, b, rate) + self._right(moving, b, a, rate))
            if not inside_transform() and int(right[-1]) == n:
                break  # no larger rate can be chosen
        best = torch.stack(right).argmax()  # the first of equals
        return support.y.new_tensor(self.rates)[best] if inside_transform() else self.rates[int(best)]

    def _right(self, moving: Params, support: Examples, rest: Examples, rate: float) -> Tensor:
        """Return the number of right answers on the rest after learning the support at a rate."""
        params = self._descended(moving, support, rate)
        z = self.start.embed(concatenated(support.x, rest.x), params=params)
        n = len(support.y)
        answers = nearest_mean(Examples(z[:n], support.y))(z[n:]).argmax(-1)
        return (answers == rest.y.argmax(-1)).sum()

    def _descended(self, moving: Params, support: Examples, rate: float | Tensor) -> Params:
        """Return the changed parameters after the steps on an ordered support."""
        if isinstance(rate, float) and rate == 0:
            return {}

        def loss(params: Params, support: Examples, t: int) -> Tensor:
            n = len(support.y)
            z = self.start.embed(concatenated(support.x, _copies(support.x, t)), params=params)
            logits = nearest_mean(Examples(z[:n], support.y))(z[n:])
            return F.cross_entropy(logits, support.y.argmax(-1))  # a class without examples has logit -inf

        return descend(loss, moving, support, Adam(rate, beta1=0.9), self.test_steps, first_order=True)


@dataclass(frozen=True, eq=False)
class FineTuned(Adapted):
    """Predictor that compares queries, embedded by fine-tuned weights, with prototypes.

    Attributes:
        learner: Learner that owns the net.
        params: Parameters that the task changed.
        compare: Comparison of embedded queries with the prototypes.
        rate: Rate that was chosen, a scalar.
    """

    learner: Finetune
    params: Params
    compare: Predictor
    rate: Tensor

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        return self.compare(self.learner.start.embed(x, params=self.params))


def _copies(x: Tree, t: int) -> Tree:
    """Return copies of inputs that are changed at random; row i of step t is always changed in the same way."""
    draw = np.random.default_rng(t)

    def changed(x: Tensor) -> Tensor:
        if not x.is_floating_point():
            return x
        if x.ndim != 4:
            return x * torch.from_numpy(draw.random(x.shape) >= _DROPPED).to(x)
        by = torch.from_numpy(2 * draw.random((len(x), 7)) - 1).to(x)
        return augmented(x, by[:, :6]) if x.shape[1] == 3 else warped(x, by)

    return mapped(changed, x)
