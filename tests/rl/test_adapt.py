"""An agent adapted to one task: returns, policy as data, ONNX."""

import json

import numpy as np
import pytest
import torch

from quickstudy.errors import ModelError, SettingError
from quickstudy.rl.adapt import adapt, export_policy, load_policy, save_policy
from quickstudy.rl.environments.base import Discrete
from quickstudy.rl.environments.mdps import MDPs
from quickstudy.rl.policy import Policy
from quickstudy.rl.training import train

SMALL = {"agent_arguments": {"hidden": [8], "n_episodes": 4}, "steps": 1, "tasks_per_step": 2}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    return train({**SMALL, "environment_arguments": {"horizon": 5}}, tmp_path_factory.mktemp("rl") / "run")


def test_the_policy_is_that_of_the_updates(run):
    a, b = adapt(run, task_seed=3, updates=2), adapt(run, task_seed=3, updates=2)
    assert len(a.returns) == 3
    assert a.n_episodes == 40
    assert a.returns == b.returns
    assert torch.equal(a.policy.act([0.1, 0.2]), b.policy.act([0.1, 0.2]))
    assert not torch.equal(a.policy.act([0.1, 0.2]), adapt(run, task_seed=4, updates=2).policy.act([0.1, 0.2]))


def test_a_policy_is_loaded_as_it_was_saved(run, tmp_path):
    policy = adapt(run).policy
    save_policy(policy, tmp_path / "policy")
    x = torch.randn(6, 2)
    assert torch.equal(load_policy(tmp_path / "policy").act(x), policy.act(x))
    with pytest.raises(SettingError, match="exists already"):
        save_policy(policy, tmp_path / "policy")
    for change in ({"format": 9}, {"hidden": [10**9]}, {"hidden": "x"}, {"inputs": 3}, {"actions": {}}):
        path = tmp_path / "policy" / "policy.json"
        good = json.loads(path.read_text())
        path.write_text(json.dumps(good | change))
        with pytest.raises(ModelError):
            load_policy(tmp_path / "policy")
        path.write_text(json.dumps(good))


def test_other_spaces_are_refused(run):
    with pytest.raises(SettingError, match="was made for 2"):
        adapt(run, MDPs())


def test_your_own_environment_is_adapted_to(tmp_path):
    pytest.importorskip("gymnasium")
    folder = train({**SMALL, "environment": "tests.rl.environments.own:Slope", "environment_arguments": {"horizon": 3}},
                   tmp_path / "run")  # fmt: skip
    adapted = adapt(folder, "tests.rl.environments.own:Slope", task_seed=5, episodes=3)
    assert adapted.policy.act(np.zeros(2, np.float32)).shape == (2,)
    assert (
        adapt(folder, task_seed=5, episodes=3).returns == adapted.returns
    )  # the run's function receives the same seed


@pytest.mark.slow
def test_an_exported_policy_acts_alike(run, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    for policy in (adapt(run).policy, Policy(3, Discrete(4), (8,))):
        export_policy(policy, tmp_path / "policy.onnx")
        session = onnxruntime.InferenceSession(str(tmp_path / "policy.onnx"))
        x = torch.randn(9, policy.inputs)
        assert np.allclose(session.run(None, {"observation": x.numpy()})[0], policy.act(x).numpy(), atol=1e-5)


@pytest.mark.parametrize("wrong", [{"episodes": 0}, {"updates": -1}, {"task_seed": -1}, {"task_seed": 2**63}])
def test_numbers_out_of_range_are_refused(run, wrong):
    (name,) = wrong
    with pytest.raises(SettingError, match=f"{name}=.* is out of range"):
        adapt(run, **wrong)
