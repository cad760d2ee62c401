"""Every environment keeps the laws; an environment that breaks one is refused with a reason."""

import pytest
import torch

from quickstudy.rl.environments import ENVIRONMENTS
from quickstudy.rl.environments.base import Discrete, Environment, Transition, for_episodes
from quickstudy.testing import check_environment


@pytest.mark.parametrize("name", ["navigation", "sparse-navigation", "bandits", "mdps"])
def test_environments_of_torch_keep_the_laws(name):
    check_environment(ENVIRONMENTS[name](), n_tasks=3)


class Coin(Environment):
    """One of two actions pays."""

    observation_size, actions, horizon = 1, Discrete(2), 3

    def task(self, rng):
        return rng.random(1)

    def reset(self, tasks, n_episodes, noise):
        state = for_episodes(tasks, n_episodes).clone()
        return state, state * 0

    def step(self, state, action, noise):
        return Transition(state, state * 0, (action == (state[..., 0] > 0.5)) * 1.0)


def test_an_environment_of_ones_own_passes():
    check_environment(Coin())


class SameTask(Coin):
    def task(self, rng):
        return rng.random(1) * 0


class OwnNoise(Coin):
    def step(self, state, action, noise):
        return Transition(state, state * 0, torch.rand(action.shape))


class ChangingTask(Coin):
    def reset(self, tasks, n_episodes, noise):
        tasks += 0.1
        return super().reset(tasks, n_episodes, noise)


class Mixed(Coin):
    def step(self, state, action, noise):
        return Transition(state, state * 0, state[..., 0].mean(0, keepdim=True).expand(action.shape))


class OtherShape(Coin):
    def reset(self, tasks, n_episodes, noise):
        state, observation = super().reset(tasks, n_episodes, noise)
        return state, observation[..., :0]


@pytest.mark.parametrize(
    ("cls", "reason"),
    [
        (SameTask, "same tasks"),
        (OwnNoise, "random numbers"),
        (ChangingTask, "changes its task"),
        (Mixed, "other tasks"),
        (OtherShape, "shape"),
    ],
)
def test_a_broken_law_is_named(cls, reason):
    with pytest.raises(AssertionError, match=reason):
        check_environment(cls())
