"""Half-cheetah: rewards are those of the tasks."""

import pytest
import torch

from quickstudy.rl.environments.cheetah import CheetahDirection, CheetahVelocity
from quickstudy.testing import check_environment

pytest.importorskip("mujoco")
pytest.importorskip("gymnasium")


@pytest.mark.slow
@pytest.mark.parametrize("cls", [CheetahDirection, CheetahVelocity])
def test_cheetahs_keep_the_laws(cls):
    environment = cls(horizon=5)
    assert environment.observation_size == 17
    check_environment(environment, n_tasks=2, n_episodes=2)


@pytest.mark.slow
def test_directions_differ_in_the_sign_of_the_velocity():
    environment = CheetahDirection(horizon=5)
    state, _ = environment.reset(torch.tensor([1.0, -1.0]), 1, torch.full((2, 1, 1), 0.5))
    action = torch.full((2, 1, 6), 0.4)
    reward = environment.step(state, action, torch.zeros(2, 1, 1)).reward
    assert reward.sum().item() == pytest.approx(-2 * 0.05 * 6 * 0.4**2, abs=1e-6)
