"""Policies to compare with: the oracle sees the task, the random policy is not trained."""

import pytest
import torch

from quickstudy.errors import SettingError
from quickstudy.rl.environments.bandits import Bandits
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.learners.baselines import Finetuned, Hinted, Oracle, Random
from quickstudy.rl.rollout import Draws
from quickstudy.testing import check_environment


def test_hinted_observations_end_with_the_task():
    hinted, draws = Hinted(Navigation(horizon=4)), Draws(0, "train", 0, 2)
    check_environment(hinted)
    goals = draws.tasks(hinted)
    _, observation = hinted.reset(goals, 3, torch.zeros(2, 3, 0))
    assert torch.equal(observation[:, 1, 2:], goals)


def test_an_oracle_learns_which_arm_pays():
    torch.manual_seed(0)
    bandits = Bandits(arms=3)
    oracle = Oracle(bandits, hidden=(16,), n_episodes=50, max_kl=0.1, cg_steps=4)
    figures = [oracle.improve(bandits, Draws(0, "train", k, 20), oracle.optimizer(0.1)) for k in range(12)]
    assert figures[0]["return"] < 0.6
    assert figures[-1]["return"] > 0.65


def test_one_policy_for_all_tasks_learns_too():
    torch.manual_seed(0)
    navigation = Navigation(horizon=10)
    agent = Finetuned(navigation, hidden=(16,), n_episodes=10)
    figures = [agent.improve(navigation, Draws(0, "train", k, 5), agent.optimizer(0.1)) for k in range(10)]
    assert all(f["kl"] <= 0.01 for f in figures)
    assert figures[-1]["return"] > figures[0]["return"]


def test_the_random_policy_stays_as_it_was():
    navigation = Navigation(horizon=3)
    agent = Random(navigation, hidden=(4,), n_episodes=2)
    before = {name: p.clone() for name, p in agent.state_dict().items()}
    agent.improve(navigation, Draws(0, "train", 0, 2), agent.optimizer(0.1))
    assert all(torch.equal(p, before[name]) for name, p in agent.state_dict().items())


def test_an_oracle_of_an_environment_without_a_hint_is_refused_in_one_line():
    class Blind(Bandits):
        def __init__(self):
            super().__init__()
            self.hint_size = 0

    with pytest.raises(SettingError, match="has no hint of the task"):
        Oracle(Blind())
