"""Navigation: episodes a second and a meta-step, beside the plain loop of published programs, written anew.

python -m benchmarks.rl_speed [--tasks 20] [--json results/rl/speed.json]

The plain loop plays one episode after another, and calls the net for each step. It adapts one task after another, and
multiplies by the curvature by differentiating the divergence twice through the adaptation. Both receive the same random
numbers. Rewards, outer gradient and curvature are compared before anything is timed. Times are of the processor, one
thread, so that other programs on the machine count little.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.distributions import Independent, Normal, kl_divergence
from torch.func import functional_call

from quickstudy.io.files import replace
from quickstudy.rl.baseline import Batch
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.learners.maml import MAML
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.runs.provenance import provenance
from quickstudy.training.process import keep_memory

EPISODES, HORIZON = 20, 100
Params = dict[str, Tensor]


class Plain:
    """The plain loop: one task, one episode and one step after another."""

    def __init__(self, agent: MAML) -> None:
        self.agent, self.policy = agent, agent.policy

    def distribution(self, params: Params, observation: Tensor) -> Independent:
        output = functional_call(self.policy, params, (observation,))
        return Independent(Normal(output.mean, output.log_std.exp()), 1)

    def episode(self, params: Params, goal: np.ndarray, noise: Tensor) -> tuple[list[Any], list[Any], list[float]]:
        place, seen, taken, rewards = np.zeros(2, np.float32), [], [], []
        for numbers in noise[1:]:
            observation = torch.from_numpy(place)
            with torch.no_grad():
                normal = self.distribution(params, observation).base_dist
                action = normal.mean + normal.stddev * torch.special.ndtri(numbers.clamp(1e-7, 1 - 1e-7))
            seen.append(place)
            taken.append(action.numpy())
            place = place + np.float32(0.1) * np.clip(action.numpy(), -1, 1)
            away = place - goal
            rewards.append(-float(np.sqrt((away**2).sum())))
            if (np.abs(away) < 0.01).all():
                break
        return seen, taken, rewards

    def play(self, params: list[Params], goals: Tensor, draws: Draws, t: int) -> Trajectories:
        parts = []
        for weights, goal, rng in zip(params, goals.numpy(), draws.generators(f"rollout-{t}"), strict=True):
            noise = torch.from_numpy(rng.random((HORIZON + 1, EPISODES, 2), np.float32))
            for k in range(EPISODES):
                seen, taken, rewards = self.episode(weights, goal, noise[:, k])
                alive = np.zeros(HORIZON, np.float32)
                alive[: len(rewards)] = 1
                padded = [np.zeros((HORIZON, *np.shape(part)[1:]), np.float32) for part in (seen, taken, rewards)]
                for whole, part in zip(padded, (seen, taken, rewards), strict=True):
                    whole[: len(rewards)] = part
                parts.append((*padded, alive))
        stacked = (torch.from_numpy(np.stack(part)) for part in zip(*parts, strict=True))
        return Trajectories(*(part.view(len(goals), EPISODES, *part.shape[1:]) for part in stacked))

    def adapted(self, theta: Params, batch: Batch, i: int, *, graph: bool) -> Params:
        log_prob = self.distribution(theta, batch.observations[i]).log_prob(batch.actions[i])
        ratio = (log_prob - log_prob.detach()).exp().view_as(batch.advantages[i])
        loss = -(batch.weights[i] * batch.advantages[i] * ratio).sum()
        slopes = torch.autograd.grad(loss, list(theta.values()), create_graph=graph)
        return {name: p - self.agent.inner_lr * g for (name, p), g in zip(theta.items(), slopes, strict=True)}

    def meta_step(
        self, before: Batch, after: Batch, cg_steps: int
    ) -> tuple[Tensor, Callable[[Tensor], Tensor], Tensor]:
        """Return the outer gradient, the curvature product, and the direction of the step."""
        theta = {name: p.detach().requires_grad_() for name, p in self.policy.params().items()}
        n, at = len(before.weights), list(theta.values())
        loss, divergence = torch.zeros(()), torch.zeros(())
        for i in range(n):
            phi = self.adapted(theta, before, i, graph=True)
            new = self.distribution(phi, after.observations[i])
            with torch.no_grad():
                old = self.distribution({k: p.detach() for k, p in phi.items()}, after.observations[i])
            ratio = (new.log_prob(after.actions[i]) - old.log_prob(after.actions[i])).exp()
            loss = loss - (after.weights[i] * after.advantages[i] * ratio.view_as(after.advantages[i])).sum() / n
            kl = kl_divergence(old, new).view_as(after.weights[i])
            divergence = divergence + (after.weights[i] * kl).sum() / n
        gradient = _flat(torch.autograd.grad(loss, at, retain_graph=True))
        slope = _flat(torch.autograd.grad(divergence, at, create_graph=True))

        def curvature(v: Tensor) -> Tensor:
            return _flat(torch.autograd.grad(slope @ v, at, retain_graph=True))

        from quickstudy.rl.trust_region import conjugate_gradient

        direction = conjugate_gradient(lambda v: curvature(v) + self.agent.damping * v, gradient, cg_steps)
        return gradient, curvature, direction


def _flat(parts: tuple[Tensor, ...]) -> Tensor:
    return torch.cat([part.flatten() for part in parts])


def timed(function: Callable[[], Any], times: int) -> float:
    seconds = []
    for _ in range(times):
        begun = time.process_time()
        function()
        seconds.append(time.process_time() - begun)
    return min(seconds)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=20)
    parser.add_argument("--json", type=Path)
    a = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    navigation, draws = Navigation(HORIZON), Draws(0, "train", 1, a.tasks)
    agent = MAML(navigation, curvature_episodes=EPISODES)
    plain, goals = Plain(agent), draws.tasks(navigation)
    shared, own = agent.stacked(a.tasks), [dict(agent.policy.params()) for _ in range(a.tasks)]

    def ours() -> Trajectories:
        return agent.play(navigation, goals, draws, 0, shared, EPISODES)

    def theirs() -> Trajectories:
        return plain.play(own, goals, draws, 0)

    mine, other = ours(), theirs()
    steps = mine.rewards.shape[-1]
    rewards_apart = float((mine.rewards - other.rewards[..., :steps]).abs().max())
    before = agent.batch(mine)
    chain = agent.chain([before], a.tasks)
    after = agent.batch(agent.play(navigation, goals, draws, 1, chain.params, EPISODES))
    gradient, product, _ = plain.meta_step(before, after, cg_steps=0)
    v = torch.randn_like(gradient)
    mine_gradient, mine_product = agent.meta_gradient(chain, after), agent.curvature(chain, after)(v)
    apart = {
        "rewards": rewards_apart,
        "gradient": float((mine_gradient - gradient).norm() / gradient.norm()),
        "curvature": float((mine_product - product(v)).norm() / mine_product.norm()),
    }
    assert rewards_apart < 1e-4, apart
    assert max(apart["gradient"], apart["curvature"]) < 1e-3, apart

    def plain_step() -> None:
        first = agent.batch(theirs())
        adapted = [plain.adapted(dict(agent.policy.params()), first, i, graph=False) for i in range(a.tasks)]
        weights = [{name: p.detach() for name, p in each.items()} for each in adapted]
        second = agent.batch(plain.play(weights, goals, draws, 1))
        plain.meta_step(first, second, agent.cg_steps)

    default = MAML(navigation)
    seconds = {
        "rollout": {"quickstudy": timed(ours, 5), "plain": timed(theirs, 1)},
        "meta_step": {
            "quickstudy": timed(lambda: default.improve(navigation, draws, default.optimizer(0.1)), 3),
            "quickstudy, whole curvature": timed(lambda: agent.improve(navigation, draws, agent.optimizer(0.1)), 1),
            "plain": timed(plain_step, 1),
        },
    }
    episodes = a.tasks * EPISODES
    record = {
        **provenance(),
        "tasks": a.tasks,
        "episodes_per_task": EPISODES,
        "largest_differences": apart,
        "processor_seconds": seconds,
        "episodes_per_second": {name: round(episodes / s) for name, s in seconds["rollout"].items()},
        "times_faster": {
            "rollout": round(seconds["rollout"]["plain"] / seconds["rollout"]["quickstudy"], 1),
            "meta_step": round(seconds["meta_step"]["plain"] / seconds["meta_step"]["quickstudy"], 1),
        },
    }
    print(json.dumps(record, indent=1))
    if a.json:
        replace(a.json, (json.dumps(record, indent=1) + "\n").encode())


if __name__ == "__main__":
    main()
