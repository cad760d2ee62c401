"""Half-cheetah that runs in a direction, or at a velocity, which it does not see."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from torch import Tensor

from quickstudy.errors import SettingError, one_line
from quickstudy.rl.environments.simulators import Simulators, gymnasium

CONTROL_COST = 0.05


class _Cheetah(Simulators):
    hint_size = 1

    def __init__(self, horizon: int = 200) -> None:
        super().__init__(horizon)

    def make(self, seed: int) -> Any:
        """Return a half-cheetah of gymnasium (17 observations)."""
        gym = gymnasium()
        try:
            # The horizon ends an episode. gymnasium's own limit would end it as a truncation.
            return gym.make("HalfCheetah-v5", ctrl_cost_weight=CONTROL_COST, max_episode_steps=self.horizon + 1)
        except gym.error.DependencyNotInstalled as error:
            raise SettingError(
                f"HalfCheetah-v5 needs mujoco ({one_line(error)}); pip install 'quickstudy[rl]'"
            ) from None

    def hint(self, tasks: Tensor) -> Tensor:
        """Return the direction or the velocity."""
        return tasks.unsqueeze(1)


class CheetahDirection(_Cheetah):
    """Half-cheetah that has to run forwards or backwards; its reward is the velocity in the task's direction.

    The reward is direction * velocity - 0.05 |action|^2, with the direction 1 or -1.

    Args:
        horizon: Number of steps.

    Source: Finn et al. 2017, section 5.3, arXiv:1703.03400; rewards of github.com/cbfinn/maml_rl.
    """

    about: ClassVar[str] = "a half-cheetah runs forwards or backwards"

    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return 1 or -1."""
        return np.asarray(rng.choice([-1.0, 1.0]), np.float32)

    def reward(self, task: np.ndarray, reward: float, info: dict[str, Any]) -> float:
        """Return the velocity in the direction, minus the cost of the action."""
        return float(task * info["x_velocity"] + info["reward_ctrl"])


class CheetahVelocity(_Cheetah):
    """Half-cheetah that has to run at a velocity; its reward is minus the distance from it.

    The reward is -|velocity - goal| - 0.05 |action|^2.

    Args:
        horizon: Number of steps.
        fastest: Goals are drawn from U[0, fastest]: 2 in Finn et al., 3 in later papers.

    Source: Finn et al. 2017, section 5.3, arXiv:1703.03400; Rakelly et al. 2019, arXiv:1903.08254.
    """

    about: ClassVar[str] = "a half-cheetah runs at a velocity"

    def __init__(self, horizon: int = 200, fastest: float = 2.0) -> None:
        super().__init__(horizon)
        self.fastest = fastest

    def task(self, rng: np.random.Generator) -> np.ndarray:
        """Return a velocity."""
        return np.asarray(rng.uniform(0, self.fastest), np.float32)

    def reward(self, task: np.ndarray, reward: float, info: dict[str, Any]) -> float:
        """Return minus the distance from the velocity, minus the cost of the action."""
        return float(-abs(info["x_velocity"] - task) + info["reward_ctrl"])
