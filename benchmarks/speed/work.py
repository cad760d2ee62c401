"""What is timed: one outer step's loss and gradient, of fixed learners on fixed tasks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from quickstudy.inputs.dataset import ClassDataset
from quickstudy.learners import MAML, Reptile
from quickstudy.learners.gradient import GradientLearner
from quickstudy.nets import MLP, Conv4
from quickstudy.tasks.episodes import Episodes
from quickstudy.tasks.glyphs import glyphs
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.tasks.task import Examples, Task, TaskSource

INNER_LR = 0.002
"""Small, so that no loss grows; what a step costs does not depend on it."""


@dataclass(frozen=True)
class Work:
    """One row of the benchmark.

    Attributes:
        algorithm: "maml", "first-order" or "reptile".
        net: "conv4-64" (28x28, pooled), "conv4-32" (84x84, 3 channels) or "mlp" (sinusoid regression).
        n_way, n_shot, n_query: Of a task; a sinusoid has ``n_shot`` points and as many queries.
        inner_steps: SGD steps of the inner loop.
        n_tasks: Tasks of the outer step.
        device: Where the learner and its tasks are.
    """

    algorithm: Literal["maml", "first-order", "reptile"] = "maml"
    net: Literal["conv4-64", "conv4-32", "mlp"] = "conv4-64"
    n_way: int = 5
    n_shot: int = 1
    n_query: int = 1
    inner_steps: int = 5
    n_tasks: int = 16
    device: str = "cpu"

    def __str__(self) -> str:
        if self.net == "mlp":
            return f"{self.algorithm} sinusoid, {self.n_shot} points, {self._steps()}, {self.n_tasks} tasks"
        task = f"{self.n_way}-way {self.n_shot}-shot {self.n_query}-query"
        return f"{self.algorithm} {self.net}, {task}, {self._steps()}, {self.n_tasks} tasks"

    def _steps(self) -> str:
        return f"{self.inner_steps} step{'s' * (self.inner_steps > 1)}"

    def learner(self) -> GradientLearner:
        """The learner, the same in every process. Transductive and with a learned head, as the peers' examples are.

        Weights are drawn in float32 whatever the default, in which they and the tasks come.
        """
        dtype = torch.get_default_dtype()
        torch.set_default_dtype(torch.float32)
        try:
            return self._learner().to(self.device, dtype)
        finally:
            torch.set_default_dtype(dtype)

    def _learner(self) -> GradientLearner:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            if self.net == "mlp":
                return MAML(MLP(), 1, inner_lr=INNER_LR, inner_steps=self.inner_steps, loss="mse")
            net = Conv4() if self.net == "conv4-64" else Conv4(channels=3, size=84, width=32)
            if self.algorithm == "reptile":
                return Reptile(
                    net,
                    self.n_way,
                    inner_lr=INNER_LR,
                    inner_steps=self.inner_steps,
                    inner_batch=None,
                    inner_rule="sgd",
                    learned_head=True,
                )
            return MAML(
                net,
                self.n_way,
                inner_lr=INNER_LR,
                inner_steps=self.inner_steps,
                first_order=self.algorithm == "first-order",
                learned_head=True,
                transductive=True,
            )

    def source(self) -> TaskSource:
        """Where the tasks come from."""
        if self.net == "mlp":
            return Sinusoid(self.n_shot, self.n_shot)
        data = glyphs((40, 1, 1)).train
        if self.net == "conv4-32":
            data = ClassDataset(_large(data.x), data.y, data.names)
        return Episodes(data, self.n_way, self.n_shot, self.n_query)

    def tasks(self) -> Task:
        """The tasks, the same in every process."""
        return _placed(self.source().sample(0, self.n_tasks), self.device)


def _placed(tasks: Task, device: str) -> Task:
    """Tasks on a device, in the default type where they are real numbers."""
    dtype = torch.get_default_dtype()
    return Task(*(Examples(*(t.to(device, dtype if t.is_floating_point() else None) for t in part)) for part in tasks))


def _large(x: Tensor) -> Tensor:
    """Grey images (n, 1, 28, 28) as colour ones of 84x84."""
    return x.repeat_interleave(3, -1).repeat_interleave(3, -2).expand(-1, 3, -1, -1).contiguous()


MAIN = Work()
WORKS = (
    MAIN,
    Work(n_query=15),
    Work("first-order"),
    Work("first-order", n_query=15),
    Work("reptile"),
    Work(inner_steps=1),
    Work(n_shot=5, n_tasks=4),
    Work(n_way=20, n_tasks=4),
    Work(net="conv4-32", n_query=15, n_tasks=4),
    *(Work(n_tasks=n) for n in (1, 4, 64)),
    *(Work(net="mlp", n_shot=10, inner_steps=1, n_tasks=n) for n in (1, 25, 256)),
)
"""The benchmark's rows."""

TOY = (
    Work(n_tasks=2, inner_steps=2),
    Work("first-order", n_tasks=2, inner_steps=1),
    Work("reptile", n_tasks=2, inner_steps=2),
    Work(net="mlp", n_shot=5, inner_steps=1, n_tasks=4),
)
"""Small enough for a test, which looks at agreement and never at times."""
