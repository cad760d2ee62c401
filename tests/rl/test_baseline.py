"""Advantages: generalised advantage estimates by their definition, and a baseline that fits."""

import torch

from quickstudy.rl.baseline import advantages, batch_of, discounted, values
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.policy import Policy
from quickstudy.rl.rollout import Draws, rollout


def episodes(horizon=6):
    torch.manual_seed(0)
    navigation, draws = Navigation(horizon), Draws(0, "train", 0, 3)
    policy = Policy.of(navigation, (8,))
    return rollout(navigation, draws.tasks(navigation), policy, draws.generators("r"), 5)


def test_advantages_are_sums_of_surprises():
    e, discount, gae = episodes(), 0.9, 0.7
    v = torch.randn(e.rewards.shape)
    computed = advantages(e, v, discount, gae)
    for i, j, t in [(0, 0, 0), (1, 3, 2), (2, 4, 5)]:
        later = [*v[i, j].tolist(), 0.0]
        total = sum(
            (discount * gae) ** (k - t) * (e.rewards[i, j, k].item() + discount * later[k + 1] - later[k])
            for k in range(t, 6)
        )
        assert abs(computed[i, j, t].item() - total) < 1e-5


def test_with_lambda_one_advantages_are_returns_minus_values():
    e = episodes()
    v = torch.randn(e.rewards.shape)
    assert torch.allclose(advantages(e, v, 0.95, 1.0), discounted(e.rewards, 0.95) - v, atol=1e-5)


def test_the_baseline_explains_most_of_the_returns():
    e = episodes(horizon=20)
    returns = discounted(e.rewards, 0.99)
    left = (returns - values(e, 0.99)).var(dim=(1, 2)) / returns.var(dim=(1, 2))
    assert left.max() < 0.5


def test_normalised_advantages_have_mean_zero_and_deviation_one():
    batch = batch_of(episodes())
    mean = (batch.weights * batch.advantages).sum((1, 2))
    deviation = (batch.weights * batch.advantages**2).sum((1, 2)).sqrt()
    assert torch.allclose(mean, torch.zeros(3), atol=1e-5)
    assert torch.allclose(deviation, torch.ones(3), atol=1e-4)
