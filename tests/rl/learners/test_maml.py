"""MAML for policies: the outer gradient is exact, and an outer step keeps its trust region."""

from itertools import product

import pytest
import torch

from quickstudy.rl.baseline import Batch, advantages
from quickstudy.rl.environments.mdps import MDPs
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.learners.maml import MAML, Chain
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.rl.surrogate import distribution_of, mean_kl

STATES, ACTIONS, HORIZON, RATE = 2, 2, 3, 0.7


class Tabular:
    """A small decision process, every episode of which can be written down: arrivals and actions of each step."""

    def __init__(self, n_tasks: int) -> None:
        rng = torch.Generator().manual_seed(5)
        draw = torch.rand(n_tasks, STATES, ACTIONS, STATES, generator=rng, dtype=torch.float64)
        self.chances = draw / draw.sum(-1, keepdim=True)
        self.means = torch.randn(n_tasks, STATES, ACTIONS, generator=rng, dtype=torch.float64)
        paths = list(product(product(range(ACTIONS), repeat=HORIZON), product(range(STATES), repeat=HORIZON - 1)))
        self.actions = torch.tensor([a for a, _ in paths])
        self.places = torch.tensor([(0, *s) for _, s in paths])

    def trajectories(self) -> Trajectories:
        """Every episode once, with its mean rewards."""
        n_tasks = len(self.means)
        seen = torch.eye(STATES, dtype=torch.float64)[self.places].expand(n_tasks, -1, -1, -1)
        rewards = self.means[:, self.places, self.actions]
        return Trajectories(seen, self.actions.expand(n_tasks, -1, -1), rewards, torch.ones_like(rewards))

    def probability(self, agent, params) -> torch.Tensor:
        """Probability of every episode, (n_tasks, n_episodes)."""
        t = self.trajectories()
        flat = Batch(t.observations.flatten(1, 2), t.actions.flatten(1, 2), t.rewards, t.alive)
        log = distribution_of(agent.policy, params, flat).log_prob(flat.actions).view_as(t.rewards).sum(-1)
        moves = self.chances[:, self.places[:, :-1], self.actions[:, :-1], self.places[:, 1:]].log().sum(-1)
        return (log + moves).exp()

    def expected(self, agent, params) -> torch.Tensor:
        """Expected return of each task, by the sum over all episodes."""
        return (self.probability(agent, params) * self.trajectories().rewards.sum(-1)).sum(-1)

    def batch(self, agent, params, baseline: float) -> Batch:
        """All episodes as if they had been sampled infinitely often."""
        t = self.trajectories()
        weights = self.probability(agent, params).detach().unsqueeze(-1).expand_as(t.rewards)
        a = advantages(t, torch.full_like(t.rewards, baseline), discount=1.0, gae_lambda=1.0)
        return Batch(t.observations.flatten(1, 2), t.actions.flatten(1, 2), a, weights)


def setup(n_tasks=3, **options):
    torch.manual_seed(1)
    mdps = MDPs(STATES, ACTIONS, HORIZON)
    agent = MAML(mdps, hidden=(4,), activation="tanh", inner_lr=RATE, later_lr=1.0, **options).double()
    return agent, Tabular(n_tasks)


def vector(agent):
    return torch.nn.utils.parameters_to_vector(agent.parameters()).detach()


def objective(agent, world, theta, steps):
    """Mean expected return after exact policy gradient steps, from their definition alone."""
    torch.nn.utils.vector_to_parameters(theta, agent.parameters())
    params = {name: p.detach().expand(len(world.means), *p.shape) for name, p in agent.policy.params().items()}
    for _ in range(steps):
        leaves = {name: p.detach().requires_grad_() for name, p in params.items()}
        slopes = torch.autograd.grad(world.expected(agent, leaves).sum(), list(leaves.values()))
        params = {name: p + RATE * slope for (name, p), slope in zip(params.items(), slopes, strict=True)}
    return world.expected(agent, params).mean().item()


def gradient(agent, world, steps, baseline):
    chain = Chain(agent.stacked(len(world.means)))
    for _ in range(steps):
        chain.extend(agent, world.batch(agent, chain.params, baseline), first_order=agent.first_order)
    return -agent.meta_gradient(chain, world.batch(agent, chain.params, baseline))


def differences(agent, world, steps, eps=1e-5):
    theta, slopes = vector(agent), []
    for i in range(len(theta)):
        e = torch.zeros_like(theta)
        e[i] = eps
        up, down = (objective(agent, world, theta + sign * e, steps) for sign in (1, -1))
        slopes.append((up - down) / (2 * eps))
    torch.nn.utils.vector_to_parameters(theta, agent.parameters())
    return torch.tensor(slopes, dtype=torch.float64)


@pytest.mark.parametrize(("steps", "baseline"), [(1, 0.0), (1, 0.8), (2, 0.8)])
def test_the_meta_gradient_is_that_of_the_exact_expectation(steps, baseline):
    agent, world = setup(estimator="dice")
    exact = differences(agent, world, steps)
    assert exact.abs().max() > 0.05
    assert torch.allclose(gradient(agent, world, steps, baseline), exact, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "options", [{"estimator": "lvc"}, {"estimator": "score"}, {"estimator": "dice", "first_order": True}]
)
def test_what_leaves_derivatives_out_is_not_exact(options):
    agent, world = setup(**options)
    assert (gradient(agent, world, 1, 0.0) - differences(agent, world, 1)).abs().max() > 1e-3


def test_one_step_has_no_products_of_different_steps():
    """Horizon 1: "lvc" leaves nothing out."""
    global HORIZON
    agent, _ = setup(estimator="lvc")
    before, HORIZON = HORIZON, 1
    try:
        world = Tabular(3)
        assert torch.allclose(gradient(agent, world, 1, 0.3), differences(agent, world, 1), rtol=0, atol=1e-6)
    finally:
        HORIZON = before


def test_the_curvature_is_the_hessian_of_the_divergence():
    agent, world = setup(estimator="dice")
    batches, chain = [], Chain(agent.stacked(3))
    for _ in range(2):
        batches.append(world.batch(agent, chain.params, 0.0))
        chain.extend(agent, batches[-1], first_order=False)
    outer = world.batch(agent, chain.params, 0.0)
    old = distribution_of(agent.policy, chain.params, outer).detach()
    weights = list(agent.policy.parameters())

    def divergence(theta):
        parts = theta.split([p.numel() for p in weights])
        named = zip(agent.policy.params(), parts, weights, strict=True)
        params = {name: part.view_as(p).expand(3, *p.shape) for name, part, p in named}
        for t, batch in enumerate(batches):
            params = agent.updated(params, batch, t)
        return mean_kl(agent.policy, params, outer, old)

    hessian = torch.autograd.functional.hessian(divergence, vector(agent))
    v = torch.randn(len(hessian), dtype=torch.float64)
    assert torch.allclose(agent.curvature(chain, outer)(v), hessian @ v, atol=1e-10)


def test_an_outer_step_keeps_the_divergence_and_raises_the_return():
    torch.manual_seed(0)
    navigation = Navigation(horizon=20)
    agent = MAML(navigation, hidden=(16,), n_episodes=10)
    figures = [agent.improve(navigation, Draws(0, "train", k, 8), agent.optimizer(0.1)) for k in range(8)]
    assert all(0 < f["kl"] <= 0.01 for f in figures)
    assert sum(f["adapted"] for f in figures[-3:]) > sum(f["adapted"] for f in figures[:3])
