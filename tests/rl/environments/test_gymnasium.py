"""Environments of one's own by module:function."""

import gc
import weakref

import pytest
import torch

from quickstudy.errors import DataError, SettingError
from quickstudy.rl.environments.base import Continuous, Discrete
from quickstudy.rl.environments.gymnasium import Gymnasium
from quickstudy.testing import check_environment

pytest.importorskip("gymnasium")
OWN = "tests.rl.environments.own:"


@pytest.mark.parametrize(
    ("name", "size", "actions"), [("Slope", 2, Continuous(2)), ("Switch", 3, Discrete(2)), ("Scalar", 1, Continuous(2))]
)
def test_your_own_environment_keeps_the_laws(name, size, actions):
    environment = Gymnasium(OWN + name, horizon=1 if name == "Scalar" else 5)
    assert (environment.observation_size, environment.actions) == (size, actions)
    check_environment(environment, n_tasks=2, n_episodes=2)


def test_actions_are_scaled_to_the_bounds():
    environment = Gymnasium(OWN + "Slope", horizon=5)
    state, first = environment.reset(torch.tensor([4]), 1, torch.tensor([[[0.3]]]))
    after = environment.step(state, torch.tensor([[[1.0, -0.5]]]), torch.zeros(1, 1, 1)).observation
    assert torch.allclose(after - first, torch.tensor([[[0.2, -0.1]]]), atol=1e-6)


def test_what_is_not_seeded_is_found_out():
    with pytest.raises(AssertionError, match="random numbers"):
        check_environment(Gymnasium(OWN + "Unseeded", horizon=3), n_tasks=2, n_episodes=2)


def test_tasks_of_different_spaces_are_refused():
    environment = Gymnasium(OWN + "Growing", horizon=3)
    with pytest.raises(DataError, match="different spaces"):
        environment.reset(torch.tensor([7]), 1, torch.zeros(1, 1, 1))


@pytest.mark.parametrize(
    ("name", "message"),
    [("nothing", "cannot be imported"), ("fails", "failed for seed 0: no way"), ("text", "returned a str")],
)
def test_a_wrong_function_is_refused_in_one_line(name, message):
    with pytest.raises(SettingError, match=message) as error:
        Gymnasium(OWN + name)
    assert "\n" not in str(error.value)


def test_a_fault_in_your_own_environment_is_reported_in_one_line():
    environment = Gymnasium(OWN + "Scalar", horizon=3)
    state, _ = environment.reset(torch.tensor([3]), 1, torch.zeros(1, 1, 1))
    environment.step(state, torch.zeros(1, 1, 2), torch.zeros(1, 1, 1))
    with pytest.raises(DataError, match=r"step of an environment failed: RuntimeError.*battery") as error:
        environment.step(state, torch.zeros(1, 1, 2), torch.zeros(1, 1, 1))
    assert "\n" not in str(error.value)


def test_simulators_of_earlier_tasks_are_not_kept():
    environment = Gymnasium(OWN + "Slope", horizon=2)
    gone = [weakref.ref(each) for each in environment.reset(torch.arange(3), 2, torch.zeros(3, 2, 1))[0][0]]
    environment.reset(torch.arange(3, 5), 2, torch.zeros(2, 2, 1))
    gc.collect()
    assert [each() for each in gone] == [None] * 6


def moved(name, actions):
    """What the environment is given for each action."""
    environment = Gymnasium(OWN + name, horizon=1)
    n = len(actions)
    state, _ = environment.reset(torch.tensor([0]), n, torch.zeros(1, n, 1))
    return environment.step(state, torch.tensor(actions).view(1, n, 1), torch.zeros(1, n, 1)).reward[0]


def test_whole_numbers_are_reached_from_both_sides_alike():
    assert moved("Keys", [-1.0, -0.6, -0.4, -0.1, 0.1, 0.4, 0.6, 0.9]).tolist() == [0, 1, 1, 1, 2, 2, 2, 3]


def test_actions_stay_within_any_finite_bounds():
    assert moved("Wide", [-9.0, 0.0, 9.0]).tolist() == [-torch.finfo().max, 0, torch.finfo().max]
    low, high = moved("Narrow", [-1.0, 1.0]).numpy()
    space = Gymnasium(OWN + "Narrow").make(0).action_space
    assert (low, high) == (space.low, space.high)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("FewNumbers", "reset of an environment failed: .*an observation has 1 numbers, its space 2"),
        ("FewNumbersLater", "step of an environment failed: .*an observation has 1 numbers, its space 2"),
        ("OtherPlace", r"reset of an environment failed: .*observation 3 is not in Discrete\(3\)"),
        ("TwoEnds", "step of an environment failed: .*truth value"),
    ],
)
def test_what_is_not_in_the_spaces_is_refused_in_one_line(name, message):
    with pytest.raises(DataError, match=message) as error:
        moved(name, [0.0])
    assert "\n" not in str(error.value)
