"""Ways to compute one outer step's loss and gradient, ours and others', all of the same numbers."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec

import torch
from torch import Tensor, nn
from torch.func import functional_call

from benchmarks.speed.work import INNER_LR, Work
from quickstudy.learners.base import embedding_width
from quickstudy.learners.gradient import GradientLearner
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.task import Examples
from quickstudy.training.engine import backward
from quickstudy.training.process import keep_memory
from quickstudy.training.workers import ALONE, Workers

Step = Callable[[], tuple[Tensor, list[Tensor]]]
"""One outer step: the loss, and the gradient of every parameter."""


class UsualConv4(nn.Module):
    """The net as one writes it with torch's layers; parameters in our net's order."""

    def __init__(self, net: Conv4) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            nn.Conv2d(channels, net.width, 3, padding=1, bias=False) for channels in (net.channels, *[net.width] * 3)
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(net.width, track_running_stats=False) for _ in net.norms)

    def forward(self, x: Tensor) -> Tensor:
        """Embed images."""
        for conv, norm in zip(self.convs, self.norms, strict=True):
            x = nn.functional.max_pool2d(nn.functional.relu(norm(conv(x))), 2)
        return x.flatten(1)


def usual(learner: GradientLearner) -> nn.Module:
    """The learner's net and head in torch's own layers, with the same weights."""
    net = learner.net
    model = nn.Sequential(
        UsualConv4(net) if isinstance(net, Conv4) else MLP(), nn.Linear(embedding_width(net), learner.n_way)
    )
    model.load_state_dict(dict(learner.model.named_parameters()))
    return model.to(next(learner.parameters()).device)


def ours(work: Work, workers: Workers = ALONE) -> Step:
    """This package, with as many workers as there are."""
    keep_memory()
    learner, tasks = work.learner(), workers.share(work.tasks())

    def step() -> tuple[Tensor, list[Tensor]]:
        learner.zero_grad()
        loss = backward(learner.meta_loss, tasks, work.n_tasks)
        gradients = _gradients(learner)
        workers.sum([loss, *gradients])
        return loss, gradients

    return step


def plain_loop(work: Work) -> Step:
    """A loop over tasks with ``functional_call`` and ``autograd.grad``, as one writes it by hand."""
    learner, tasks = work.learner(), work.tasks()
    model = usual(learner)
    theta: dict[str, Tensor] = dict(model.named_parameters())

    def descend(support: Examples) -> dict[str, Tensor]:
        params = theta
        for _ in range(work.inner_steps):
            loss = _support_loss(learner, functional_call(model, params, (support.x,)), support)
            grads = torch.autograd.grad(loss, list(params.values()), create_graph=work.algorithm == "maml")
            params = {name: p - INNER_LR * g for (name, p), g in zip(params.items(), grads, strict=True)}
        return params

    def reptile() -> tuple[Tensor, list[Tensor]]:
        gradients = [torch.zeros_like(p) for p in theta.values()]
        loss = tasks.support.x.new_zeros(())
        for i in range(len(tasks)):
            phi = descend(tasks.at(i).support)
            for total, p, q in zip(gradients, theta.values(), phi.values(), strict=True):
                moved = p.detach() - q.detach()
                total += moved / len(tasks)
                loss += 0.5 * (moved**2).sum() / len(tasks)
        return loss, gradients

    def maml() -> tuple[Tensor, list[Tensor]]:
        losses = []
        for i in range(len(tasks)):
            support, query = tasks.at(i)
            params = descend(support)
            losses.append(learner.prediction_loss(functional_call(model, params, (query.x,)), query.y))
        loss = torch.stack(losses).mean()
        return loss.detach(), list(torch.autograd.grad(loss, list(theta.values())))

    return reptile if work.algorithm == "reptile" else maml


def higher(work: Work) -> Step:
    """The library higher 0.2.1."""
    from higher import innerloop_ctx

    learner, tasks = work.learner(), work.tasks()
    model = usual(learner)
    optimizer = torch.optim.SGD(model.parameters(), lr=INNER_LR)

    def step() -> tuple[Tensor, list[Tensor]]:
        model.zero_grad()
        total = tasks.support.x.new_zeros(())
        for i in range(len(tasks)):
            support, query = tasks.at(i)
            with innerloop_ctx(model, optimizer, copy_initial_weights=False) as (fast, inner):
                for _ in range(work.inner_steps):
                    inner.step(_support_loss(learner, fast(support.x), support))
                loss = learner.prediction_loss(fast(query.x), query.y) / len(tasks)
                loss.backward()  # type: ignore[no-untyped-call]
                total += loss.detach()
        return total, _gradients(model)

    return step


def torchopt(work: Work) -> Step:
    """The library TorchOpt 0.7.3."""
    import torchopt

    learner, tasks = work.learner(), work.tasks()
    model = usual(learner)
    inner = torchopt.MetaSGD(model, lr=INNER_LR)

    def step() -> tuple[Tensor, list[Tensor]]:
        parameters = list(model.parameters())
        weights = torchopt.extract_state_dict(model, by="reference", detach_buffers=True)
        state = torchopt.extract_state_dict(inner, by="reference")
        losses = []
        for i in range(len(tasks)):
            support, query = tasks.at(i)
            for _ in range(work.inner_steps):
                inner.step(_support_loss(learner, model(support.x), support))
            losses.append(learner.prediction_loss(model(query.x), query.y))
            torchopt.recover_state_dict(model, weights)
            torchopt.recover_state_dict(inner, state)
        loss = torch.stack(losses).mean()
        return loss.detach(), list(torch.autograd.grad(loss, parameters))

    return step


CONTENDERS: dict[str, Callable[[Work], Step]] = {"ours": ours, "plain loop": plain_loop}
CONTENDERS |= {name: way for name, way in (("higher", higher), ("torchopt", torchopt)) if find_spec(name)}
"""By name; the peers where they are installed (``pip install 'quickstudy[bench]'``)."""


def takes(contender: str, work: Work) -> bool:
    """Whether a contender has a way to do this: the peers' inner loops are for second order."""
    return contender in ("ours", "plain loop") or work.algorithm == "maml"


def _support_loss(learner: GradientLearner, prediction: Tensor, support: Examples) -> Tensor:
    loss = learner.prediction_loss(prediction, support.y)
    return loss * support.y.shape[-1] if learner.loss == "cross_entropy" else loss


def _gradients(model: nn.Module) -> list[Tensor]:
    return [p.grad for p in model.parameters() if p.grad is not None]
