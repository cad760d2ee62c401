"""Evaluation: intervals over tasks, and tasks that do not depend on their number."""

import pytest
import torch

from quickstudy.errors import SettingError
from quickstudy.rl.environments.base import Discrete
from quickstudy.rl.environments.mdps import MDPs
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.evaluation import evaluate
from quickstudy.rl.learners.baselines import Oracle
from quickstudy.rl.learners.maml import MAML
from quickstudy.rl.learners.rl2 import RL2


def test_means_and_intervals_are_those_of_the_tasks():
    navigation = Navigation(horizon=4)
    agent = MAML(navigation, hidden=(4,))
    result = evaluate(agent, navigation, n_tasks=23, updates=1, n_episodes=3)
    assert result.values.shape == (2, 23)
    assert result.means == pytest.approx(result.values.mean(1).tolist())
    assert result.ci95 == pytest.approx((1.96 * result.values.std(1) / 23**0.5).tolist())
    more = evaluate(agent, navigation, n_tasks=40, updates=1, n_episodes=3)
    assert torch.allclose(more.values[:, :20], result.values[:, :20], atol=1e-5)


class Buttons(Navigation):
    """Two buttons in place of two directions."""

    actions = Discrete(2)


@pytest.mark.parametrize("agent", [MAML, RL2, Oracle])
@pytest.mark.parametrize("other", [MDPs, Buttons])
def test_an_environment_of_other_sizes_is_refused_in_one_line(agent, other):
    with pytest.raises(SettingError, match=r"the agent was made for 2 and Continuous\(size=2\)"):
        evaluate(agent(Navigation()), other(), n_tasks=2)


def test_one_task_has_no_interval():
    with pytest.raises(SettingError, match="at least 2"):
        evaluate(MAML(Navigation()), Navigation(), n_tasks=1)
