"""Environments of one's own, as a user would write them."""

import gymnasium
import numpy as np


class Slope(gymnasium.Env):
    """A cart on a line has to be pushed to where its seed says."""

    observation_space = gymnasium.spaces.Box(-10, 10, (2,))
    action_space = gymnasium.spaces.Box(-2, 2, (2,))

    def __init__(self, seed: int) -> None:
        self.goal = np.random.default_rng(seed).uniform(-1, 1, 2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.at = self.np_random.normal(0, 0.01, 2)
        return self.at.astype(np.float32), {}

    def step(self, action):
        self.at = self.at + 0.1 * action
        distance = np.linalg.norm(self.at - self.goal)
        return self.at.astype(np.float32), -distance, bool(distance < 0.05), False, {}


class Switch(Slope):
    observation_space = gymnasium.spaces.Discrete(3, start=1)
    action_space = gymnasium.spaces.Discrete(2, start=5)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = int(self.np_random.integers(1, 4))
        return self.place, {}

    def step(self, action):
        assert action in (5, 6)
        return self.place, float(action - 5) * self.goal[0], False, False, {}


class Unseeded(Slope):
    def reset(self, *, seed=None, options=None):
        self.at = np.random.default_rng().normal(0, 0.01, 2)
        return self.at.astype(np.float32), {}


class Growing(Slope):
    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.observation_space = gymnasium.spaces.Box(-10, 10, (2 + (seed > 0),))


def fails(seed: int) -> None:
    raise RuntimeError("no\nway")


def text(seed: int) -> str:
    return "an environment"


class Scalar(Slope):
    """Observations without an axis, and a fault after two steps for odd seeds."""

    observation_space = gymnasium.spaces.Box(-10, 10, ())

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.odd = seed % 2 == 1

    def reset(self, *, seed=None, options=None):
        self.steps = 0
        first, about = super().reset(seed=seed)
        return first[0], about

    def step(self, action):
        self.steps += 1
        if self.odd and self.steps == 2:
            raise RuntimeError("no\nbattery")
        seen, *rest = super().step(action)
        return seen[0], *rest


class Keys(gymnasium.Env):
    """Press the last of four keys; the attributes say how it breaks its own spaces."""

    observation_space = gymnasium.spaces.Box(0, 1, (2,))
    action_space = gymnasium.spaces.Box(0, 3, (1,), np.int32)
    first: object = (0.0, 1.0)
    later: object = (0.0, 1.0)
    ended: object = False

    def __init__(self, seed: int) -> None:
        pass

    def reset(self, *, seed=None, options=None):
        return self.first, {}

    def step(self, action):
        return self.later, float(action[0]), self.ended, False, {}


class FewNumbers(Keys):
    first = later = (0.5,)


class FewNumbersLater(Keys):
    later = (0.5,)


class TwoEnds(Keys):
    ended = np.array([True, False])


class OtherPlace(Keys):
    observation_space = gymnasium.spaces.Discrete(3)
    first = later = 3


class Wide(Keys):
    action_space = gymnasium.spaces.Box(np.finfo(np.float32).min, np.finfo(np.float32).max, (1,))


class Narrow(Keys):
    action_space = gymnasium.spaces.Box(-0.4, 0.1, (1,))
