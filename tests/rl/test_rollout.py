"""Rollouts: a task's episodes are its own numbers, and rewards stop where an episode ends."""

import pytest
import torch

from quickstudy.errors import DataError
from quickstudy.rl.environments.base import Transition
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.learners.maml import MAML
from quickstudy.rl.learners.rl2 import RL2
from quickstudy.rl.policy import Policy
from quickstudy.rl.rollout import Draws, rollout


def test_a_task_is_played_the_same_whatever_the_others_are():
    torch.manual_seed(0)
    navigation = Navigation(horizon=10)
    policy = Policy.of(navigation, (8,))
    played = []
    for n in (2, 5):
        draws = Draws(3, "train", 7, n)
        played.append(rollout(navigation, draws.tasks(navigation), policy, draws.generators("rollout-0"), 4))
    few, many = played
    for a, b in zip(few, many, strict=True):
        assert torch.allclose(a[:2], b[:2], atol=1e-6)


def test_purposes_and_steps_have_other_numbers():
    draws = Draws(3, "train", 7, 1)
    numbers = {
        float(each.generators(purpose)[0].random())
        for each in (draws, Draws(3, "test", 7, 1), Draws(4, "train", 7, 1), Draws(3, "train", 8, 1))
        for purpose in ("rollout-0", "rollout-1")
    }
    assert len(numbers) == 8


def test_an_episode_ends_where_its_goal_is_reached():
    navigation = Navigation(horizon=6)
    policy = Policy.of(navigation, ())
    torch.nn.init.zeros_(policy.layers[0].weight)
    with torch.no_grad():
        policy.layers[0].bias += torch.tensor([1.0, 0.5])
    goal = torch.tensor([[0.3, 0.15], [5.0, 5.0]])
    played = rollout(navigation, goal, policy, Draws(0, "x", 0, 2).generators("r"), 1, greedy=True)
    assert played.alive[:, 0].tolist() == [[1, 1, 1, 0, 0, 0], [1] * 6]
    assert torch.allclose(played.returns[0], torch.tensor([-0.3 * 1.25**0.5]), atol=1e-5)


class Broken(Navigation):
    """Navigation whose second step gives a number that is not finite."""

    def __init__(self, part: str, value: float) -> None:
        super().__init__(horizon=3)
        self.part, self.value, self.steps = part, value, 0

    def step(self, state, action, noise):
        self.steps += 1
        result: Transition = super().step(state, action, noise)
        whole = getattr(result, self.part)
        return result._replace(**{self.part: torch.full_like(whole, self.value)}) if self.steps == 2 else result


@pytest.mark.parametrize("agent", [MAML, RL2])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
@pytest.mark.parametrize("part", ["observation", "reward"])
def test_numbers_that_are_not_finite_are_refused(agent, part, value):
    world = Broken(part, value)
    made = agent(world)
    with pytest.raises(DataError, match="returned an observation or reward that is NaN or infinite"):
        made.improve(world, Draws(0, "train", 1, 2), made.optimizer(0.1))
