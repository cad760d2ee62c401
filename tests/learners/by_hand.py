"""Learners by gradient descent written out plainly, for tests to compare with."""

import copy

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from quickstudy.learners.gradient import GradientLearner
from quickstudy.nets import Conv4
from quickstudy.tasks.task import Examples, Task

Params = dict[str, Tensor]


def conv4(params: Params, x: Tensor, n: int) -> Tensor:
    """The whole model, normalised by the statistics of the first n rows."""
    return F.linear(embedded(params, x, n), params["1.weight"], params["1.bias"])


def embedded(params: Params, x: Tensor, n: int) -> Tensor:
    """The net alone, normalised by the statistics of the first n rows."""
    for i in range(4):
        x = F.conv2d(x, params[f"0.convs.{i}.weight"], padding=1)
        mean = x[:n].mean((0, 2, 3), keepdim=True)
        var = ((x[:n] - mean) ** 2).mean((0, 2, 3), keepdim=True)
        weight, bias = (params[f"0.norms.{i}.{name}"][:, None, None] for name in ("weight", "bias"))
        x = F.max_pool2d(F.relu((x - mean) / (var + 1e-5).sqrt() * weight + bias), 2)
    return x.flatten(1)


def loss(learner: GradientLearner, params: Params, support: Examples, examples: Examples) -> Tensor:
    """Of examples beside the support, which gives the statistics."""
    both, n = torch.cat([support.x, examples.x]), len(support.x)
    if isinstance(learner.net, Conv4):
        prediction = conv4(params, both, n)[n:]
    else:
        prediction = functional_call(learner.model, params, (both,))[n:]
    if learner.loss == "mse":
        return ((prediction - examples.y) ** 2).mean()
    return -(prediction.log_softmax(-1) * examples.y).sum(-1).mean()


def inner_gradient(
    learner: GradientLearner, params: Params, support: Examples, names: list[str], *, create_graph: bool
) -> Params:
    """Of the inner loss, with respect to the parameters of those names."""
    value = loss(learner, params, support, support)
    if learner.loss == "cross_entropy":
        value = value * support.y.shape[1]  # summed over the classes, as in the published code
    grads = torch.autograd.grad(value, [params[name] for name in names], create_graph=create_graph)
    return dict(zip(names, grads, strict=True))


def start(learner: GradientLearner) -> Params:
    """The meta-learned parameters, each with a gradient."""
    return {n: p if p.requires_grad else p.clone().requires_grad_() for n, p in learner.model.named_parameters()}


def learned(learner: GradientLearner) -> list[nn.Parameter]:
    return [p for p in learner.parameters() if p.requires_grad]


def meta_gradient(learner: GradientLearner, task: Task) -> list[Tensor]:
    return list(torch.autograd.grad(learner.meta_loss(task), learned(learner), materialize_grads=True))


def gradient(learner: GradientLearner, value: Tensor) -> list[Tensor]:
    """Of a value by hand, with respect to what is meta-learned."""
    return list(torch.autograd.grad(value, learned(learner), materialize_grads=True))


def assert_equal(ours: list[Tensor], theirs: list[Tensor], tolerance: float = 1e-12) -> None:
    """Largest difference beside the largest number."""
    size = max(float(t.abs().max()) for t in theirs)
    for a, b in zip(ours, theirs, strict=True):
        assert float((a - b).abs().max()) <= tolerance * size


def assert_central_differences(learner: GradientLearner, task: Task) -> None:
    """The meta-gradient is that of central differences, along three directions."""
    gradient = meta_gradient(learner, task)
    draw = torch.Generator().manual_seed(1)
    for _ in range(3):
        direction = [torch.randn(g.shape, generator=draw, dtype=g.dtype) for g in gradient]

        def along(h: float, direction: list[Tensor] = direction) -> float:
            moved = copy.deepcopy(learner)
            with torch.no_grad():
                for p, d in zip(learned(moved), direction, strict=True):
                    p += h * d
                return float(moved.meta_loss(task))

        exact = float(sum((g * d).sum() for g, d in zip(gradient, direction, strict=True)))
        numeric = (along(1e-6) - along(-1e-6)) / 2e-6
        assert abs(numeric - exact) <= 1e-6 * abs(exact)
