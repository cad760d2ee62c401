"""Implicit MAML: an outer gradient that does not depend on the path of the inner loop."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.func import grad, grad_and_value, vjp

from quickstudy.learners.base import Loss, Predictor
from quickstudy.learners.gradient import GradientLearner
from quickstudy.learners.inner import Params, Sgd, descend, twice_differentiable
from quickstudy.nets.fast.private import inside_transform
from quickstudy.tasks.task import Examples, Task


class IMAML(GradientLearner):
    """Implicit MAML: weights close to good weights for each task.

    The inner loop minimises L(phi) + penalty / 2 * ||phi - theta||^2 on the support, from theta. At the minimum, the
    gradient of a query loss with respect to theta is (I + H / penalty)^-1 v. Here H is the Hessian of L at phi, and v
    is the query loss's gradient there. The meta-loss has the value of the query loss and this gradient, which conjugate
    gradient computes. If the inner loop stops early, H of a net has eigenvalues below -penalty, and conjugate gradient
    is not made for them. With damping the gradient is (I + H / (penalty + damping))^-1 v.

    Args:
        net: Maps inputs to (n, net.out_features).
        n_way: Width of the head: classes, or dimensions of a real target.
        inner_lr: Inner step size; a classifier's loss is summed over the classes (see ``inner_loss``).
        inner_steps: Inner steps in training.
        test_steps: Inner steps outside of training; as in training if None.
        penalty: Weight of the squared distance to the meta-learned weights; lambda in the paper.
        cg_steps: Steps of conjugate gradient.
        damping: Number added to the penalty in the outer gradient only; 0 is exact.
        loss: "cross_entropy" or "mse".
        learned_head: Meta-learn a classifier's head too, as the paper does.
        transductive: Normalise queries by their own batch statistics, as the paper does.

    The defaults are those of the authors' program for five ways, where the loss is averaged over the classes. There,
    the rate is 0.1 and the penalty 2, and the outer gradient inverts 2 (1 + H / 24).

    Source: Rajeswaran et al. 2019, eq. 3, 6 and 7 and algorithm 2, arXiv:1909.04630.

    >>> from quickstudy.nets import MLP
    >>> learner = IMAML(MLP(2, (8,)), n_way=3)
    >>> learner.adapt(Examples(torch.randn(6, 2), torch.eye(3).repeat(2, 1)))(torch.zeros(4, 2)).shape
    torch.Size([4, 3])
    """

    def __init__(
        self,
        net: nn.Module,
        n_way: int = 5,
        *,
        inner_lr: float = 0.02,
        inner_steps: int = 16,
        test_steps: int | None = None,
        penalty: float = 10.0,
        cg_steps: int = 5,
        damping: float = 110.0,
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
        self.penalty, self.cg_steps, self.damping = penalty, cg_steps, damping

    def adapt(self, support: Examples) -> Predictor:
        """Descend on the support, with a penalty on the distance to the meta-learned weights."""
        return self.predictor(self._descend(support), support)

    def meta_loss(self, task: Task) -> Tensor:
        """Return the loss of the queries after adapting, with the implicit gradient."""
        support, query = task

        theta = self.initial(support.y.shape[-1])
        moving, fixed = self.parted(theta)

        def query_loss(params: Params) -> Tensor:
            return self.prediction_loss(self.predictor(fixed | params, support)(query.x), query.y)

        def support_loss(params: Params) -> Tensor:
            return self.support_loss(fixed | params, self.weighted(support))

        phi = {name: p.detach() for name, p in self._descend(support).items() if name in moving}
        with twice_differentiable():
            v, loss = _gradient_and_value(query_loss, phi)
            hessian = _hessian(support_loss, phi)

            def matrix(d: Params) -> Params:
                return {name: d[name] + h / (self.penalty + self.damping) for name, h in hessian(d).items()}

            g = conjugate_gradient(matrix, v, self.cg_steps)
        return loss + _dot(g, {name: p - p.detach() for name, p in moving.items()})

    def _descend(self, support: Examples) -> Params:
        def loss(params: Params, data: tuple[Examples, Params], t: int) -> Tensor:
            examples, theta = data
            distance = torch.stack([((p - theta[name]) ** 2).sum() for name, p in params.items()]).sum()
            return self.support_loss(theta | params, examples) + 0.5 * self.penalty * distance

        theta = self.initial(support.y.shape[-1])
        moving, _ = self.parted(theta)
        return theta | descend(
            loss, moving, (self.weighted(support), theta), Sgd(self.inner_lr), self.steps, first_order=True
        )


def conjugate_gradient(matrix: Callable[[Params], Params], b: Params, steps: int) -> Params:
    """Return an approximate solution x of ``matrix(x) = b``, starting from zero.

    It is exact after as many steps as there are numbers.

    Args:
        matrix: Product with a symmetric positive definite matrix.
        b: Right-hand side, tensors by name.
        steps: Number of steps.

    Source: Hestenes and Stiefel 1952, section 3; for iMAML, Rajeswaran et al. 2019, eq. 7, arXiv:1909.04630.

    >>> conjugate_gradient(lambda d: {"x": torch.tensor([2.0, 4.0]) * d["x"]}, {"x": torch.ones(2)}, steps=2)
    {'x': tensor([0.5000, 0.2500])}
    """
    x = {name: torch.zeros_like(t) for name, t in b.items()}
    r = p = b
    rr = _dot(r, r)
    for _ in range(steps):
        image = matrix(p)
        step = _ratio(rr, _dot(p, image))
        x = {name: t + step * p[name] for name, t in x.items()}
        r = {name: t - step * image[name] for name, t in r.items()}
        last, rr = rr, _dot(r, r)
        p = {name: t + _ratio(rr, last) * p[name] for name, t in r.items()}
    return x


# Both use autograd outside of torch.func's transforms, which do not take every net.


def _gradient_and_value(loss: Callable[[Params], Tensor], at: Params) -> tuple[Params, Tensor]:
    """Return the gradient of a loss and its value, both constant."""
    if inside_transform():
        return cast(tuple[Params, Tensor], grad_and_value(loss)(at))
    with torch.enable_grad():
        at = {name: p.detach().requires_grad_() for name, p in at.items()}
        value = loss(at)
    return _gradient(value, at), value.detach()


def _hessian(loss: Callable[[Params], Tensor], at: Params) -> Callable[[Params], Params]:
    """Return the product with the Hessian of a loss."""
    if inside_transform():
        pulled: Any = vjp(grad(loss), at)[1]
        return lambda d: cast(Params, pulled(d)[0])
    with torch.enable_grad():
        at = {name: p.detach().requires_grad_() for name, p in at.items()}
        g = _gradient(loss(at), at, create_graph=True)

    def product(d: Params) -> Params:
        with torch.enable_grad():
            return _gradient(_dot(g, d), at, retain_graph=True)

    return product


def _gradient(value: Tensor, at: Params, *, create_graph: bool = False, retain_graph: bool | None = None) -> Params:
    grads = torch.autograd.grad(
        value, list(at.values()), create_graph=create_graph, retain_graph=retain_graph, materialize_grads=True
    )
    return dict(zip(at, grads, strict=True))


def _dot(a: Params, b: Params) -> Tensor:
    return torch.stack([(t * b[name]).sum() for name, t in a.items()]).sum()


def _ratio(a: Tensor, b: Tensor) -> Tensor:
    """Return a / b, or 0 where b is 0 and nothing is left to solve."""
    return torch.where(b == 0, 0, a / b)
