"""RL2: a recurrent policy that learns a task within its memory, trained by PPO."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from quickstudy.rl.baseline import advantages
from quickstudy.rl.environments.base import Environment
from quickstudy.rl.learners.base import Agent
from quickstudy.rl.policy import LEAST_STD
from quickstudy.rl.ranges import check_range
from quickstudy.rl.recurrent import Recurrent, play_trial
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.rl.surrogate import clipped
from quickstudy.tasks.tree import Tree


class Steps(NamedTuple):
    """Steps of trials, each trial from its first to its last step: what PPO's loss reads.

    Attributes:
        inputs: Inputs of the net, (n_tasks, steps, width).
        actions: Actions, (n_tasks, steps) or (n_tasks, steps, size).
        log_probs: Log-probabilities of the actions when they were taken, (n_tasks, steps).
        advantages: Advantage of each action, (n_tasks, steps), with mean 0 and standard deviation 1.
        targets: Discounted return of each step by its advantage, (n_tasks, steps).
        alive: 1 for steps that were taken, and 0 for padding after a trial's end.
    """

    inputs: Tensor
    actions: Tensor
    log_probs: Tensor
    advantages: Tensor
    targets: Tensor
    alive: Tensor


class RL2(Agent):
    """RL2: the state of a GRU learns the task while it acts. The outer loop trains the GRU by PPO.

    A trial is several episodes of one task. The state is carried over from each episode to the next, and is reset with
    each task. What is maximised is the return of the whole trial, so it pays to explore first.

    An "update" of ``adaptation`` is n_episodes more episodes in the same trial; no weight changes.

    Args:
        environment: Environment whose observations and actions the policy has.
        episodes: Episodes of a trial in training.
        grow_steps: Outer steps in which the trials of training grow geometrically from 1 episode to ``episodes``; 0
            for full trials from the start.
        hidden: Width of the GRU.
        std: Initial standard deviation of continuous actions.
        discount: Discount factor per step of a trial; reported returns are not discounted.
        gae_lambda: Parameter of the advantage estimates.
        epochs: Passes over the trials of an outer step.
        parts: Parts into which the trials of an outer step are split; each is a step of the optimiser.
        clip: Largest change of a probability ratio that is rewarded.
        value_weight: Weight of the value's squared error, which is measured in units of the largest horizon.
        entropy_weight: Weight of the entropy of the policy.
        max_norm: Largest norm of a gradient.

    Source: Duan et al. 2016, arXiv:1611.02779; Wang et al. 2016, arXiv:1611.05763. PPO: Schulman et al. 2017, eq. 9,
    arXiv:1707.06347.

    >>> from quickstudy.rl.environments.bandits import Bandits
    >>> bandits = Bandits()
    >>> agent = RL2(bandits, hidden=8)
    >>> sorted(agent.improve(bandits, Draws(0, "train", 1, 8), agent.optimizer(1e-3)))
    ['adapted', 'kl', 'return', 'steps', 'trial']
    """

    outer_lr = 1e-3

    def __init__(
        self,
        environment: Environment,
        *,
        episodes: int = 10,
        grow_steps: int = 0,
        hidden: int = 64,
        std: float = 1.0,
        discount: float = 0.99,
        gae_lambda: float = 0.95,
        epochs: int = 4,
        parts: int = 4,
        clip: float = 0.2,
        value_weight: float = 1.0,
        entropy_weight: float = 0.01,
        max_norm: float = 0.5,
    ) -> None:
        super().__init__(environment)
        check_range(1, episodes=episodes, epochs=epochs, parts=parts, hidden=hidden)
        check_range(0, grow_steps=grow_steps, clip=clip, value_weight=value_weight, entropy_weight=entropy_weight)
        check_range(0, 1, discount=discount, gae_lambda=gae_lambda)
        check_range(LEAST_STD, std=std, max_norm=max_norm)
        self.episodes, self.grow_steps, self.hidden, self.std = episodes, grow_steps, hidden, std
        self.discount, self.gae_lambda, self.epochs, self.parts = discount, gae_lambda, epochs, parts
        self.clip, self.value_weight, self.entropy_weight, self.max_norm = clip, value_weight, entropy_weight, max_norm
        self.net = Recurrent(environment.observation_size, environment.actions, hidden, std)
        longest = episodes * environment.horizon
        self.unit = longest if discount == 1 else min(longest, 1 / (1 - discount))

    def length(self, step: int) -> int:
        """Return the number of episodes of a trial in an outer step.

        >>> from quickstudy.rl.environments.bandits import Bandits
        >>> agent = RL2(Bandits(), episodes=100, grow_steps=10)
        >>> [agent.length(step) for step in (1, 5, 10, 11)]
        [2, 10, 100, 100]
        """
        return self.episodes if step >= self.grow_steps else math.ceil(self.episodes ** (step / self.grow_steps))

    def steps_of(self, trajectories: Trajectories) -> Steps:
        """Return the steps of trials with their advantages, by the value at the weights that played them."""
        whole = _joined(trajectories)
        with torch.no_grad():
            distribution, value, _ = self.net(whole.observations[:, 0])
        value = self.unit * value * whole.alive[:, 0]
        a = advantages(whole, value.unsqueeze(1), self.discount, self.gae_lambda)[:, 0]
        alive, targets = whole.alive[:, 0], a + value
        a = a - (alive * a).sum() / alive.sum()
        a = a / ((alive * a.square()).sum() / alive.sum()).sqrt().clamp(min=1e-8)
        actions = whole.actions[:, 0]
        return Steps(whole.observations[:, 0], actions, distribution.log_prob(actions), a, targets, alive)

    def loss(self, steps: Steps) -> Tensor:
        """Return PPO's loss, a scalar: clipped surrogate, error of the value, and entropy, means over steps."""
        distribution, value, _ = self.net(steps.inputs)
        ratio = (distribution.log_prob(steps.actions) - steps.log_probs).exp()
        gain = clipped(ratio, steps.advantages, self.clip)
        error = (value - steps.targets / self.unit).square()
        each = self.value_weight * error - gain - self.entropy_weight * distribution.entropy()
        mean: Tensor = (steps.alive * each).sum() / steps.alive.sum()
        return mean

    def improve(self, environment: Environment, draws: Draws, optimizer: Optimizer) -> dict[str, float]:
        """Take one outer step: play one trial per task, and take ``epochs * parts`` steps of the optimiser."""
        rngs, length = draws.generators("rollout-0"), self.length(draws.step)
        played, _ = play_trial(environment, draws.tasks(environment), self.net, rngs, length)
        steps = self.steps_of(played)
        parts = [Steps(*part) for part in zip(*(each.chunk(self.parts) for each in steps), strict=True)]
        for _ in range(self.epochs):
            for part in parts:
                optimizer.zero_grad()
                torch.autograd.backward(self.loss(part))
                nn.utils.clip_grad_norm_(self.parameters(), self.max_norm)
                optimizer.step()
        with torch.no_grad():
            change = self.net(parts[-1].inputs)[0].log_prob(parts[-1].actions) - parts[-1].log_probs
        each = change.exp() - 1 - change  # an estimate of the divergence that is never negative
        returns = played.returns
        return {
            "return": returns[:, 0].mean().item(),
            "adapted": returns[:, -1].mean().item(),
            "trial": returns.sum(1).mean().item(),
            "kl": ((parts[-1].alive * each).sum() / parts[-1].alive.sum()).item(),
            "steps": float(played.alive.sum()),
        }

    def adaptation(
        self, environment: Environment, tasks: Tree, draws: Draws, updates: int, n_episodes: int
    ) -> Iterator[Trajectories]:
        """Yield the episodes 0 to n_episodes of a trial, then the next n_episodes, ``updates`` + 1 times."""
        memory = None
        for t in range(updates + 1):
            rngs = draws.generators(f"rollout-{t}")
            played, memory = play_trial(environment, tasks, self.net, rngs, n_episodes, memory)
            yield played._replace(observations=played.observations[..., : environment.observation_size])


def _joined(trajectories: Trajectories) -> Trajectories:
    """Return each trial as one long episode, (n_tasks, 1, steps): steps that were not taken go to the end."""
    flat = Trajectories(*(part.flatten(1, 2) for part in trajectories))
    if not bool(flat.alive.all()):
        order = flat.alive.argsort(dim=1, descending=True, stable=True)
        flat = Trajectories(*(part[torch.arange(len(part)).unsqueeze(1), order] for part in flat))
    return Trajectories(*(part.unsqueeze(1) for part in flat))
