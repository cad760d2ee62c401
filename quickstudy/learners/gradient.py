"""Base of the learners that adapt by gradient descent: a net with a head, both adapted on the support."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.base import Adapted, Learner, Loss, Predictor, embedding_width
from quickstudy.learners.inner import InnerRule, Params, descend
from quickstudy.learners.part import names_of_part
from quickstudy.nets import apply, record_population
from quickstudy.tasks.task import Examples
from quickstudy.tasks.tree import Tree, concatenated

HEAD = ("1.weight", "1.bias")
"""Names of the head's parameters."""


class GradientLearner(Learner):
    """A net and a linear head, whose weights the inner loop changes.

    The order of classes has no meaning, so a classifier's head could only learn equal rows, which softmax ignores. The
    head therefore stays zero, and the first inner step makes each row a prototype (Kao et al. 2022, arXiv:2106.15367).
    A learned head only adds noise.

    Weights of the net with ``requires_grad=False`` stay as they are, in the inner loop and in the outer one.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes of a training task, or dimensions of a real target.
        inner_lr: Inner step size; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training.
        test_steps: Inner steps outside of training; as in training if None.
        loss: "cross_entropy" or "mse", for the inner and the outer loop.
        learned_head: Meta-learn a classifier's head too, as the papers do. A head for real targets is always learned.
        adapt_only: Parameters that the inner loop changes; the rest is meta-learned and stays. "all"; "head" (ANIL,
            Raghu et al. 2020, arXiv:1909.09157); "body", all but the head, which must be learned (BOIL, Oh et al. 2021,
            arXiv:2008.08882). "norm" means the norms' weights and biases, and the head. Any other value is a pattern of
            the names in ``net.named_parameters()``, such as "*lora*"; it means these and the head.
        transductive: Normalise queries by their own batch statistics instead of the support's.

    Raises:
        SettingError: ``adapt_only`` matches nothing, or excludes a head that is not learned.
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
        adapt_only: str = "all",
        transductive: bool = False,
    ) -> None:
        super().__init__()
        self.n_way, self.loss, self.learned_head, self.transductive = n_way, loss, learned_head, transductive
        self.inner_lr, self.inner_steps, self.test_steps = inner_lr, inner_steps, test_steps
        self.adapt_only = adapt_only
        like = next((p for p in net.parameters() if p.is_floating_point()), torch.empty(0))
        head = nn.Linear(embedding_width(net), n_way).to(like)
        if loss == "cross_entropy" and not learned_head:
            for p in head.parameters():
                nn.init.zeros_(p.requires_grad_(False))
        self.model = nn.Sequential(net, head)
        self._chosen = self._matching(adapt_only)

    @property
    def net(self) -> nn.Module:
        """The net under the head."""
        return self.model[0]

    @property
    def steps(self) -> int:
        """Number of inner steps, for training or for evaluation according to the mode."""
        return self.inner_steps if self.training or self.test_steps is None else self.test_steps

    def initial(self, n_way: int) -> Params:
        """Return the parameters before the first inner step, with a head for ``n_way`` classes."""
        return self.resized(dict(self.model.named_parameters()), n_way)

    def resized(self, params: Params, n_way: int) -> Params:
        """Return parameters, or other values of the same shapes, with a head for ``n_way`` classes.

        Class positions are assigned at random in training, so the rows of the head are exchangeable. Fewer classes use
        the first rows; a class beyond the trained ones starts from the mean row.

        Raises:
            SettingError: The targets are real and have another number of dimensions, which are not exchangeable.
        """
        if n_way != self.n_way:
            if self.loss == "mse":
                raise SettingError(
                    f"targets have {n_way} dimensions, but the learner is made for {self.n_way}; set n_way={n_way}"
                )
            for name in HEAD:
                head = params[name]
                extra = head.mean(0, keepdim=True).expand(max(0, n_way - self.n_way), *head.shape[1:])
                params = {**params, name: torch.cat([head[:n_way], extra])}
        return params

    def descended(
        self,
        theta: Params,
        support: Examples,
        rule: InnerRule,
        steps: int,
        *,
        first_order: bool = False,
        part: Callable[[int], slice | list[int]] | None = None,
    ) -> Params:
        """Return all parameters after gradient descent on the support; only those of the inner loop have changed.

        Args:
            theta: All parameters before the descent.
            support: Examples whose loss is descended.
            rule, steps, first_order: Arguments of ``descend``.
            part: Rows of the support that step t uses; all if None.
        """
        moving, fixed = self.parted(theta)
        support = self.weighted(support)

        def loss(params: Params, data: tuple[Examples, Params], t: int) -> Tensor:
            examples, fixed = data
            return self.support_loss(fixed | params, examples if part is None else examples.at(part(t)))

        return theta | descend(loss, moving, (support, fixed), rule, steps, first_order=first_order)

    def parted(self, params: Params) -> tuple[Params, Params]:
        """Return the parameters that the inner loop changes, and those that it does not.

        A frozen parameter is still the net's own; a parameter that was adapted without gradients requires none either.
        """
        moving: Params = {}
        fixed: Params = {}
        for name, p in params.items():
            free = name in HEAD or p.requires_grad or not isinstance(p, nn.Parameter)
            (moving if free and name in self._chosen else fixed)[name] = p
        return moving, fixed

    def observe(self, x: Tree) -> None:
        """Record the population's batch statistics, for use of the net alone; a task is normalised by its own."""
        record_population(self.net, x)

    def features(self, x: Tree) -> Tensor:
        """Return the net's features of a support, (n, *input) -> (n, d), in the number type of the head."""
        return apply(self.net, x, statistics="batch").to(self.model.get_parameter(HEAD[0]).dtype)

    def support_loss(self, params: Params, examples: Examples) -> Tensor:
        """Return the inner loss on support examples, normalised by their own batch statistics."""
        return self.inner_loss(apply(self.model, examples.x, params, statistics="batch"), examples.y)

    def inner_loss(self, prediction: Tensor, y: Tensor) -> Tensor:
        """Return the loss of the inner loop, a scalar, for predictions (n, d) and targets (n, d).

        Cross-entropy is summed over the classes and averaged over the shots, as in MAML's published code. A step then
        moves a class's row of the head equally far for any number of ways.
        """
        loss = self.prediction_loss(prediction, y)
        return loss * y.shape[-1] if self.loss == "cross_entropy" else loss

    def predictor(self, params: Params, support: Examples) -> Predictor:
        """Return the adapted weights as a predictor, normalised by the support or, if transductive, by the queries."""
        return AdaptedWeights(self, params, support.x, len(support.y))

    def _matching(self, adapt_only: str) -> frozenset[str]:
        """Return the names of the parameters that ``adapt_only`` selects."""
        if adapt_only == "body" and self.loss == "cross_entropy" and not self.learned_head:
            raise SettingError("adapt_only='body' needs a learned head; set learned_head=True")
        part = "all" if adapt_only == "body" else adapt_only
        of_net = [] if adapt_only == "head" else names_of_part(self.net, part, ("all", "head", "body", "norm"))
        return frozenset(f"0.{name}" for name in of_net).union(() if adapt_only == "body" else HEAD)


@dataclass(frozen=True, eq=False)
class AdaptedWeights(Adapted):
    """Predictor of a net with adapted weights.

    Attributes:
        learner: Learner that owns the net, and whose ``transductive`` is read at each call.
        params: All parameters, adapted.
        support: Inputs whose batch statistics normalise the queries.
        n: Number of these inputs.
    """

    learner: GradientLearner
    params: Params
    support: Tree
    n: int

    def __call__(self, x: Tree) -> Tensor:
        """Answer queries."""
        model = self.learner.model
        if self.learner.transductive:
            return apply(model, x, self.params, statistics="batch")
        return apply(model, concatenated(self.support, x), self.params, statistics=self.n)[self.n :]
