"""A corridor, for tests: an environment of torch whose episodes end at different steps."""

import torch

from quickstudy.rl.environments.base import Discrete, Environment, Transition, for_episodes


class Corridor(Environment):
    """Walk to the right (action 1) until the end of a corridor of 1 to 3 places; each step costs a task's price."""

    observation_size, actions, horizon, noise = 2, Discrete(2), 4, 1

    def task(self, rng):
        return {"length": rng.integers(1, 4, 1), "price": rng.random(1, "float32")}

    def reset(self, tasks, n_episodes, noise):
        own = for_episodes(tasks, n_episodes)
        place = torch.zeros_like(own["length"])
        return (own, place), self._seen(place, noise)

    def step(self, state, action, noise):
        own, place = state
        place = place + action.unsqueeze(-1)
        ended = place >= own["length"]
        reward = ended.to(own["price"].dtype) - own["price"]
        return Transition((own, place), self._seen(place, noise), reward[..., 0], ended[..., 0])

    def _seen(self, place, noise):
        return torch.cat([place.to(noise.dtype), noise], -1)
