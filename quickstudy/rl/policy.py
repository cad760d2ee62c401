"""Policies: nets from observations to distributions of actions, called as functions of their weights."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor, nn

from quickstudy.errors import SettingError
from quickstudy.learners.inner import Params
from quickstudy.rl.distributions import Categorical, Distribution, Gaussian
from quickstudy.rl.environments.base import Actions, Discrete, Environment

LEAST_STD = 1e-6
LEAST_LOG_STD = math.log(LEAST_STD)
"""Smallest logarithm of a standard deviation, as in rllab, so that no density is infinite."""


class Policy(nn.Module):
    """Multilayer perceptron from observations to a categorical or a Gaussian distribution of actions.

    Weights are shared by all tasks, or each task has its own: every parameter may have one more leading axis, that of
    tasks. A product of matrices then serves all tasks at once, which is faster than ``vmap``, and as exact.

    Args:
        inputs: Width of an observation.
        actions: Actions that it chooses.
        hidden: Widths of the hidden layers; none for a table of logits, if observations are one-hot.
        activation: "tanh" or "relu".
        std: Initial standard deviation of continuous actions.

    Attributes:
        noise: Number of uniform numbers that one action needs.

    Source: Finn et al. 2017, section 5.3: two layers of 100 ReLUs, and a standard deviation that does not depend on the
    observation; Glorot's initial weights, as in rllab.

    >>> from quickstudy.rl.environments.base import Continuous
    >>> policy = Policy(2, Continuous(2))
    >>> policy(torch.zeros(5, 3, 2)).mean.shape  # 5 tasks, 3 observations each
    torch.Size([5, 3, 2])
    """

    def __init__(
        self,
        inputs: int,
        actions: Actions,
        hidden: Sequence[int] = (100, 100),
        activation: Literal["tanh", "relu"] = "relu",
        std: float = 1.0,
    ) -> None:
        super().__init__()
        self.inputs, self.actions, self.hidden = inputs, actions, tuple(hidden)
        self.activation, self.std = activation, std
        self.discrete = isinstance(actions, Discrete)
        outputs = actions.n if isinstance(actions, Discrete) else actions.size
        self.noise = 1 if self.discrete else outputs
        layers = [nn.Linear(a, b) for a, b in pairwise((inputs, *self.hidden, outputs))]
        for layer in layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.layers = nn.ModuleList(layers)
        if not self.discrete:
            self.log_std = nn.Parameter(torch.full((outputs,), math.log(std)))

    @classmethod
    def of(cls, environment: Environment, hidden: Sequence[int] = (100, 100), **options: Any) -> Policy:
        """Return a policy for an environment; options are ``activation`` and ``std``."""
        return cls(environment.observation_size, environment.actions, hidden, **options)

    def params(self) -> Params:
        """Return the parameters by name."""
        return dict(self.named_parameters())

    def forward(self, observation: Tensor, params: Params | None = None) -> Distribution:
        """Return the distribution of the action for each observation.

        Args:
            observation: Observations, (n, inputs); if each task has its own weights, (n_tasks, n, inputs).
            params: Replacements for all parameters, by name, (*shape) or (n_tasks, *shape).
        """
        params = self.params() if params is None else params
        x, last = observation, len(self.layers) - 1
        for i in range(last + 1):
            weight, bias = params[f"layers.{i}.weight"], params[f"layers.{i}.bias"]
            if weight.ndim == 3:
                x = torch.baddbmm(bias.unsqueeze(1), x, weight.mT)
            else:
                x = nn.functional.linear(x, weight, bias)
            if i < last:
                x = x.relu() if self.activation == "relu" else x.tanh()
        if self.discrete:
            return Categorical(x)
        log_std = params["log_std"].clamp(min=LEAST_LOG_STD)
        return Gaussian(x, log_std.unsqueeze(1) if log_std.ndim == 2 else log_std)

    def act(self, observation: Tensor | Sequence[float], *, noise: Tensor | None = None) -> Tensor:
        """Return the action for one observation (inputs,), or for several (n, inputs).

        Args:
            observation: Observation of shape (inputs,) or (n, inputs).
            noise: Uniform numbers, (*, noise), by which an action is drawn; if None, the most probable action.

        Raises:
            SettingError: The observation has another width.
        """
        x = torch.as_tensor(observation, dtype=torch.float32)
        if x.shape[-1:] != (self.inputs,):
            raise SettingError(
                f"an observation of shape {tuple(x.shape)} was given, this policy takes {self.inputs} numbers"
            )
        with torch.no_grad():
            distribution: Distribution = self(x)
            return distribution.mode() if noise is None else distribution.sample(noise)
