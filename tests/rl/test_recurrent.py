"""Trials: the memory is carried over all episodes of a task, and belongs to that task alone."""

import pytest
import torch

from quickstudy.rl.environments.bandits import Bandits
from quickstudy.rl.environments.mdps import MDPs
from quickstudy.rl.environments.navigation import Navigation
from quickstudy.rl.recurrent import Recurrent, play_trial
from quickstudy.rl.rollout import Draws
from quickstudy.testing import check_environment
from tests.rl.environments.corridor import Corridor

WORLDS = [Bandits(3), MDPs(3, 2, horizon=4), Navigation(horizon=3), Corridor()]


def setup(world, n_tasks=4):
    torch.manual_seed(0)
    net = Recurrent(world.observation_size, world.actions, hidden=8)
    for p in net.parameters():
        torch.nn.init.normal_(p, std=0.5)
    return net, Draws(3, "train", 1, n_tasks)


def steps(part, i):
    """Steps of task i that were taken, in the order of the trial: inputs, actions, rewards."""
    alive = part.alive[i].bool()
    return part.observations[i][alive], part.actions[i][alive], part.rewards[i][alive]


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: type(w).__name__)
def test_the_memory_is_carried_over_the_episodes_of_a_trial(world):
    net, draws = setup(world)
    tasks = draws.tasks(world)
    first, memory = play_trial(world, tasks, net, draws.generators("a"), 3)
    second, after = play_trial(world, tasks, net, draws.generators("b"), 2, memory)
    for i in range(4):
        seen = torch.cat([steps(part, i)[0] for part in (first, second)])
        with torch.no_grad():
            hidden = net(seen.unsqueeze(0))[2]  # one pass over the whole trial, from zeros
        assert torch.allclose(hidden[0, 0], after.hidden[0, i], atol=1e-5)


@pytest.mark.parametrize("world", WORLDS, ids=lambda w: type(w).__name__)
def test_the_past_is_the_last_action_reward_and_end(world):
    net, draws = setup(world)
    trial, _ = play_trial(world, draws.tasks(world), net, draws.generators("a"), 5)
    for i in range(4):
        seen, actions, rewards = steps(trial, i)
        past = seen[:, world.observation_size :]
        assert not past[0].any()  # nothing before a new task
        taken = torch.nn.functional.one_hot(actions, net.size).float() if net.discrete else actions
        assert torch.equal(past[1:, : net.size], taken[:-1])
        assert torch.equal(past[1:, -2], rewards[:-1])
        begins = torch.cat([torch.arange(int(n)) == 0 for n in trial.alive[i].sum(-1)])
        begins[0] = False
        assert torch.equal(past[:, -1].bool(), begins)


def test_a_new_task_begins_with_an_empty_memory_and_does_not_depend_on_others():
    world = MDPs(3, 2, horizon=4)
    net, draws = setup(world)
    trial, memory = play_trial(world, draws.tasks(world), net, draws.generators("a"), 3)
    again, _ = play_trial(world, draws.tasks(world), net, draws.generators("a"), 3)
    carried, _ = play_trial(world, draws.tasks(world), net, draws.generators("a"), 3, memory)
    assert torch.equal(trial.observations, again.observations)
    assert not torch.equal(trial.observations, carried.observations)
    fewer = Draws(3, "train", 1, 2)
    alone, _ = play_trial(world, fewer.tasks(world), net, fewer.generators("a"), 3)
    assert torch.equal(alone.actions, trial.actions[:2])


def test_the_corridor_is_an_environment_whose_episodes_end():
    world = Corridor()
    check_environment(world)
    net, draws = setup(world)
    trial, _ = play_trial(world, draws.tasks(world), net, draws.generators("a"), 5)
    assert 1 <= trial.alive.sum(-1).min() < trial.alive.sum(-1).max() == world.horizon
