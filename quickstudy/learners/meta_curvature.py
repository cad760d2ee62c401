"""Meta-Curvature and Kronecker-factored updates: MAML with learned matrices that transform the inner gradients."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import HEAD, GradientLearner
from quickstudy.learners.inner import Params
from quickstudy.tasks.task import Examples


@dataclass(frozen=True)
class Curved:
    """Gradient descent, params - lr * transformed gradient; a matrix multiplies each axis of a gradient.

    A convolution's gradient has the axes output, input and pixel of the kernel.

    Args:
        lr: Step size.
        factors: Matrix of an axis under "name/axis", or a vector that scales the entries of a gradient of one axis.

    >>> rule, params = Curved(0.5, {"w/0": 2 * torch.eye(1)}), {"w": torch.ones(1, 3)}
    >>> rule.step(params, {"w": torch.ones(1, 3)}, rule.init(params), 0)[0]["w"]
    tensor([[0., 0., 0.]])
    """

    lr: float
    factors: Params

    def init(self, params: Params) -> Params:
        """Return the factors as the state, through which the outer gradient reaches them."""
        return self.factors

    def step(self, params: Params, grads: Params, state: Params, t: int) -> tuple[Params, Params]:
        """Take one step against the transformed gradient."""
        stepped = {}
        for name, p in params.items():
            g = grads[name]
            axes = g.flatten(2) if g.ndim > 2 else g
            for axis in range(axes.ndim):
                factor = state.get(f"{name}/{axis}")
                if factor is not None:
                    axes = axes * factor if factor.ndim == 1 else (axes.movedim(axis, -1) @ factor.T).movedim(-1, axis)
            stepped[name] = p - (self.lr * axes.reshape(g.shape)).to(p.dtype)
        return stepped, state


class MetaCurvature(GradientLearner):
    """Meta-Curvature: MAML whose inner gradients are multiplied by a learned matrix along each axis of a weight.

    The matrices start as the identity, with which this is MAML. The entries of a bias have learned factors. The axis
    of the head's classes has none, since classes have no order, and there may be any number of them.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Inner step size; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training.
        test_steps: Inner steps outside of training; as in training if None.
        first_order: Drop the second derivatives.
        loss: "cross_entropy" or "mse".
        learned_head: Meta-learn a classifier's head too, as the paper does.
        adapt_only: Parameters that the inner loop changes, "all" or a part (see ``GradientLearner``).
        transductive: Normalise queries by their own batch statistics, as the paper does.

    Source: Park and Oliva 2019, section 3, arXiv:1902.03356.

    >>> from quickstudy.nets import MLP
    >>> learner = MetaCurvature(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    kernels_apart: ClassVar[bool] = False
    """True if the output axis of a convolution has no matrix."""

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.4,
        inner_steps: int = 1,
        test_steps: int | None = None,
        first_order: bool = False,
        loss: Loss = "cross_entropy",
        learned_head: bool = False,
        adapt_only: str = "all",
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
            adapt_only=adapt_only,
            transductive=transductive,
        )
        self.first_order = first_order
        like = next(self.model[1].parameters())
        self._axes = [f"{name}/{axis}" for name, p in self.model.named_parameters() for axis in self._axes_of(name, p)]
        self.matrices = nn.ParameterList(self._first(axis).to(like) for axis in self._axes)

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the support from the meta-learned weights, by transformed gradients."""
        factors = {axis: self._factor(m) for axis, m in zip(self._axes, self.matrices, strict=True)}
        theta, rule = self.initial(support.y.shape[-1]), Curved(self.inner_lr, factors)
        return self.predictor(self.descended(theta, support, rule, self.steps, first_order=self.first_order), support)

    def _axes_of(self, name: str, p: Tensor) -> list[int]:
        """Return the axes of a parameter that have a matrix; of the head, only that of the embedding."""
        if name in HEAD:
            return [1] if p.ndim == 2 else []
        return list(range(min(p.ndim, 3)))[p.ndim > 2 and self.kernels_apart :]

    def _first(self, axis: str) -> Tensor:
        name, _, number = axis.rpartition("/")
        shape = dict(self.model.named_parameters())[name].shape
        if len(shape) == 1 and not self.kernels_apart:
            return torch.ones(shape)
        return torch.eye(shape[2:].numel() if int(number) == 2 else shape[int(number)])

    def _factor(self, matrix: Tensor) -> Tensor:
        return matrix


class KFO(MetaCurvature):
    """Kronecker-factored updates: MAML whose inner gradients are multiplied by two learned matrices of a weight.

    A factor is A^T A with a learned A, which starts as the identity. A linear layer has factors for output and input, a
    convolution for input and kernel, a bias one.

    Args:
        net, n_way: Arguments of ``MetaCurvature``.
        inner_lr, inner_steps, test_steps, first_order, loss, learned_head, adapt_only, transductive: The same.

    Source: Arnold et al. 2021, arXiv:1910.13603; as the kernels of learn2learn 0.2.0.

    >>> from quickstudy.nets import MLP
    >>> learner = KFO(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    kernels_apart: ClassVar[bool] = True

    def _factor(self, matrix: Tensor) -> Tensor:
        return matrix.T @ matrix
