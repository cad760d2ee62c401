"""Reptile moves towards the mean of the adapted weights."""

import torch

from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.learners.reptile import Reptile
from quickstudy.rl.rollout import Draws


def test_an_outer_step_goes_a_share_of_the_way():
    torch.manual_seed(0)
    navigation, draws = Navigation(horizon=5), Draws(0, "train", 1, 3)
    agent = Reptile(navigation, hidden=(8,), n_episodes=4, inner_steps=2)
    theta = {name: p.detach().clone() for name, p in agent.policy.params().items()}
    params, tasks = agent.stacked(3), draws.tasks(navigation)
    with torch.no_grad():
        for t in range(2):
            batch = agent.batch(agent.play(navigation, tasks, draws, t, params, 4))
            params = agent.updated(params, batch, t)
    agent.improve(navigation, draws, agent.optimizer(0.3))
    for name, p in agent.policy.params().items():
        assert torch.allclose(p, theta[name] + 0.3 * (params[name].mean(0) - theta[name]), atol=1e-6)
