"""Laws that every distribution of environments keeps."""

from __future__ import annotations

import torch
from torch import Tensor

from quickstudy.rl.environments.base import Discrete, Environment
from quickstudy.rl.rollout import Draws, Trajectories
from quickstudy.tasks.tree import Tree, rows, tree_leaves


def check_environment(environment: Environment, n_tasks: int = 4, n_episodes: int = 3, seed: int = 0) -> None:
    """Check a distribution of environments against its laws.

    Tasks are seeded: the same numbers give the same task, and other steps and splits give other tasks. A task stays the
    same within an episode and in the next one. What happens depends on the state, the action and the random numbers
    alone, and not on other tasks. All tasks have the same spaces, and every number is finite.

    Args:
        environment: Distribution of environments.
        n_tasks: Number of tasks that are tried, at least 2.
        n_episodes: Number of episodes per task, at least 2.
        seed: Seed of tasks, actions and noise.

    Raises:
        AssertionError: A law is broken; the message says which.

    >>> from quickstudy.rl.environments.navigation import Navigation
    >>> check_environment(Navigation(horizon=5))
    """
    draws = Draws(seed, "train", 1, n_tasks)
    tasks = draws.tasks(environment)
    _check_tasks(environment, draws, tasks)
    actions, noise = _numbers(environment, draws, n_episodes)
    first = _played(environment, tasks, actions, noise)
    again = _played(environment, tasks, actions, noise)
    _same(first, again, "playing the same actions again gives other episodes; draw no random numbers yourself")
    two = _played(environment, rows(tasks, slice(0, 2)), actions[:, :2], noise[:, :2])
    _same(Trajectories(*(part[:2] for part in first)), two, "a task's episodes depend on the other tasks", near=True)
    # One episode of each task again, beside others: what it gives depends on its own numbers alone.
    alone = _played(environment, tasks, actions[:, :, :1], noise[:, :, :1])
    _same(Trajectories(*(part[:, :1] for part in first)), alone, "an episode depends on the others", near=True)
    if environment.hint_size:
        hint = environment.hint(tasks)
        assert hint.shape == (n_tasks, environment.hint_size), f"hint has shape {tuple(hint.shape)}"


def _check_tasks(environment: Environment, draws: Draws, tasks: Tree) -> None:
    assert environment.horizon >= 1, f"horizon is {environment.horizon}"
    assert environment.actions[0] >= 1, f"actions are {environment.actions}"
    n = draws.n_tasks
    for leaf in tree_leaves(tasks):
        assert isinstance(leaf, Tensor), f"a task holds a {type(leaf).__name__}; give arrays"
        assert len(leaf) == n, f"{n} tasks have a tensor of shape {tuple(leaf.shape)}"
    assert _equal(tasks, draws.tasks(environment)), "the same numbers give other tasks; draw from the given generator"
    fewer = environment.sample_tasks(draws.seed, draws.split, draws.step, 1)
    assert _equal(rows(tasks, slice(0, 1)), fewer), "a task depends on the number of tasks"
    # Many, since tasks may be few, such as two directions.
    many = Draws(draws.seed, draws.split, draws.step, 32)
    tasks, n = many.tasks(environment), many.n_tasks
    seed = draws.seed
    for other in (Draws(seed, "test", 1, n), Draws(seed, "train", 2, n), Draws(seed + 1, "train", 1, n)):
        assert not _equal(tasks, other.tasks(environment)), f"{other} gives the same tasks; draw from the generator"
    assert not all(bool((leaf == leaf[:1]).all()) for leaf in tree_leaves(tasks)), "all tasks are the same"


def _numbers(environment: Environment, draws: Draws, n_episodes: int) -> tuple[Tensor, Tensor]:
    """Return random actions (horizon, n_tasks, n_episodes, ...), and the noise of all steps."""
    rng = draws.generators("check")[0]
    shape = (environment.horizon, draws.n_tasks, n_episodes)
    if isinstance(environment.actions, Discrete):
        actions = torch.from_numpy(rng.integers(environment.actions.n, size=shape))
    else:
        actions = torch.from_numpy(rng.normal(0, 1, (*shape, environment.actions.size)).astype("float32"))
    noise = rng.random((environment.horizon + 1, draws.n_tasks, n_episodes, environment.noise), "float32")
    return actions, torch.from_numpy(noise)


def _played(environment: Environment, tasks: Tree, actions: Tensor, noise: Tensor) -> Trajectories:
    """Return the episodes of given actions, and check the shape of everything."""
    n_tasks, n_episodes = actions.shape[1:3]
    before = [leaf.clone() for leaf in tree_leaves(tasks)]
    state, observation = environment.reset(tasks, n_episodes, noise[0])
    seen, rewards, alive = [], [], []
    running = torch.ones(n_tasks, n_episodes)
    for action, numbers in zip(actions, noise[1:], strict=True):
        shape = (n_tasks, n_episodes, environment.observation_size)
        assert observation.shape == shape, f"observations have shape {tuple(observation.shape)}, not {shape}"
        seen.append(observation.clone())
        alive.append(running)
        state, observation, reward, ended = environment.step(state, action, numbers)
        assert reward.shape == (n_tasks, n_episodes), f"rewards have shape {tuple(reward.shape)}"
        assert bool(reward.isfinite().all()), "a reward is not finite"
        assert bool(observation.isfinite().all()), "an observation is not finite"
        rewards.append(reward * running)
        if ended is not None:
            assert ended.dtype == torch.bool, f"ended holds {ended.dtype}; give bool"
            running = running * ~ended
    unchanged = all(torch.equal(a, b) for a, b in zip(before, tree_leaves(tasks), strict=True))
    assert unchanged, "an episode changes its task"
    parts = (seen, list(actions), rewards, alive)
    return Trajectories(*(torch.stack(part, 2) for part in parts))


def _same(a: Trajectories, b: Trajectories, message: str, *, near: bool = False) -> None:
    """Compare episodes as far as they last."""
    pairs = [(a.observations, b.observations), (a.rewards, b.rewards)]
    assert torch.equal(a.alive, b.alive), message
    for x, y in pairs:
        lasting = a.alive if x.ndim == 3 else a.alive.unsqueeze(-1)
        difference = float(((x - y) * lasting).abs().max())
        assert difference <= (1e-5 if near else 0), message


def _equal(a: Tree, b: Tree) -> bool:
    return all(torch.equal(x, y) for x, y in zip(tree_leaves(a), tree_leaves(b), strict=True))
