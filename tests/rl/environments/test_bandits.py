"""Bandits pay as often as their arms say."""

import torch

from quickstudy.rl.environments.bandits import Bandits
from quickstudy.rl.policy import Policy
from quickstudy.rl.rollout import Draws, rollout


def test_an_arm_pays_with_its_probability():
    bandits, draws = Bandits(arms=5), Draws(0, "train", 0, 3)
    tasks, n = draws.tasks(bandits), 20_000
    policy = Policy.of(bandits, ())
    episodes = rollout(bandits, tasks, policy, draws.generators("rollout-0"), n)
    arms = torch.nn.functional.one_hot(episodes.actions[..., 0], 5).to(torch.float32)
    assert torch.allclose(arms.mean(1), policy(torch.ones(1, 1)).logits.softmax(-1).expand(3, 5), atol=0.02)
    paid = (arms * episodes.returns.unsqueeze(-1)).sum(1) / arms.sum(1)
    assert torch.allclose(paid, tasks, atol=0.04)


def test_arms_are_uniform():
    arms = Bandits(arms=5).sample_tasks(0, "train", 0, 400)
    assert abs(arms.mean() - 0.5) < 0.02
    assert abs(arms.var() - 1 / 12) < 0.005
