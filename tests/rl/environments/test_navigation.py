"""Navigation: rewards, moves and ends as in the program of Finn et al."""

import numpy as np
import torch

from quickstudy.rl.environments.navigation import Navigation, SparseNavigation


def by_hand(goal, actions):
    """Rewards of the published program, step by step."""
    place, rewards = np.zeros(2), []
    for action in actions:
        place = place + np.clip(action, -1, 1) * 0.1
        away = place - goal
        rewards.append(-np.hypot(*away))
        if (np.abs(away) < 0.01).all():
            break
    return rewards


def test_rewards_and_ends_are_those_of_the_published_program():
    navigation, rng = Navigation(), np.random.default_rng(0)
    ends = 0
    for _ in range(20):
        goal = rng.uniform(-0.5, 0.5, 2)
        steps = np.stack([np.sign(goal) * np.minimum(np.abs(goal) - 0.1 * k, 0.1).clip(0) * 10 for k in range(7)])
        steps += rng.normal(0, 0.02, steps.shape)
        state, _ = navigation.reset(torch.tensor(goal)[None], 1, torch.empty(1, 1, 0))
        expected = by_hand(goal, steps)
        for k, (action, reward) in enumerate(zip(steps, expected, strict=False)):
            t = navigation.step(state, torch.tensor(action).view(1, 1, 2), torch.empty(1, 1, 0))
            state = t.state
            assert abs(t.reward.item() - reward) < 1e-12
            assert t.ended.item() == (k == len(expected) - 1 and len(expected) < len(steps)) or k == len(steps) - 1
        ends += len(expected) < len(steps)
    assert ends > 0


def test_an_action_moves_by_a_tenth_at_most():
    navigation = Navigation()
    state, _ = navigation.reset(torch.zeros(1, 2), 1, torch.empty(1, 1, 0))
    place = navigation.step(state, torch.tensor([[[5.0, -0.5]]]), torch.empty(1, 1, 0)).observation
    assert torch.allclose(place, torch.tensor([[[0.1, -0.05]]]))


def test_sparse_rewards_are_zero_at_the_origin():
    sparse = SparseNavigation()
    goals = sparse.sample_tasks(0, "train", 0, 50)
    assert torch.allclose(goals.norm(dim=-1), torch.ones(50))
    assert (goals[:, 1] >= 0).all()
    assert sparse.reward(goals.norm(dim=-1)).max() == 0
