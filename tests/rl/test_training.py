"""Trainings on environments: folders, exact resume, refused settings."""

import hashlib
import json
import math
import signal
import subprocess
import sys
import time

import pytest

from quickstudy.errors import Interrupted, ModelError, SettingError
from quickstudy.rl.learners.rl2 import RL2
from quickstudy.rl.run import Run
from quickstudy.rl.settings import settings_of
from quickstudy.rl.training import outer_loop, resumed, train

SMALL = {
    "maml": {"hidden": [8], "n_episodes": 4},
    "reptile": {"hidden": [8], "n_episodes": 4, "inner_steps": 2},
    "rl2": {"hidden": 8, "episodes": 3, "grow_steps": 3},
    "finetuned": {"hidden": [8], "n_episodes": 4},
    "oracle": {"hidden": [8], "n_episodes": 4},
}


def settings(agent="maml", environment="navigation", steps=6, **changes):
    arguments = {"horizon": 5} if environment == "navigation" else {}
    values = {
        "agent": agent, "agent_arguments": SMALL[agent], "environment": environment, "tasks_per_step": 3,
        "environment_arguments": arguments, "steps": steps, "save_every": 2,
    }  # fmt: skip
    return settings_of(values | changes)


def sha(folder):
    return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()


def lines(folder):
    return [{k: v for k, v in line.items() if k != "seconds"} for line in Run(folder).metrics()]


@pytest.mark.parametrize(
    ("agent", "environment", "schedule"),
    [
        ("maml", "navigation", "constant"), ("reptile", "bandits", "cosine"), ("oracle", "mdps", "constant"),
        ("rl2", "mdps", "linear"), ("rl2", "navigation", "constant"),
    ],
)  # fmt: skip
def test_a_run_that_was_stopped_ends_with_the_same_bytes(tmp_path, agent, environment, schedule):
    s = settings(agent, environment, schedule=schedule)
    train(s, tmp_path / "whole")
    calls = iter(range(100))
    with pytest.raises(Interrupted):
        for _ in outer_loop(s, tmp_path / "parts", stop=lambda: signal.SIGTERM if next(calls) == 2 else 0):
            pass
    assert len(lines(tmp_path / "parts")) == 3
    train(s, tmp_path / "parts", resume=True)
    assert sha(tmp_path / "whole") == sha(tmp_path / "parts")
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")


def test_a_run_that_was_killed_ends_with_the_same_bytes(tmp_path):
    s = settings()
    train(s, tmp_path / "whole")
    loop = outer_loop(s, tmp_path / "parts")
    for _ in range(5):  # one step after the newest checkpoint
        next(loop)
    del loop
    train(s, tmp_path / "parts", resume=True)
    assert sha(tmp_path / "whole") == sha(tmp_path / "parts")
    assert lines(tmp_path / "whole") == lines(tmp_path / "parts")


def test_a_longer_run_is_the_same_as_one_planned_so(tmp_path):
    train(settings(steps=3), tmp_path / "a")
    train(resumed(tmp_path / "a", 5), tmp_path / "a", resume=True)
    train(settings(steps=5), tmp_path / "b")
    assert sha(tmp_path / "a") == sha(tmp_path / "b")
    assert Run(tmp_path / "a").settings.steps == 5
    with pytest.raises(SettingError, match="give more"):
        resumed(tmp_path / "a", 2)


@pytest.mark.parametrize("schedule", ["cosine", "linear"])
def test_a_falling_rate_ends_at_zero_and_a_longer_run_follows_the_new_number_of_steps(tmp_path, schedule, monkeypatch):
    rates = []
    improve = RL2.improve

    def watched(self, environment, draws, optimizer):
        rates.append(optimizer.param_groups[0]["lr"])
        return improve(self, environment, draws, optimizer)

    monkeypatch.setattr(RL2, "improve", watched)
    train(settings("rl2", "mdps", steps=4, outer_lr=0.01, schedule=schedule), tmp_path)
    share = {"linear": lambda done: 1 - done, "cosine": lambda done: (1 + math.cos(math.pi * done)) / 2}[schedule]
    assert rates == pytest.approx([0.01 * share(step / 4) for step in range(4)])
    rates.clear()
    with pytest.warns(UserWarning, match="depends on the number of steps"):
        train(resumed(tmp_path, 8), tmp_path, resume=True)
    assert rates == pytest.approx([0.01 * share(step / 8) for step in range(4, 8)])


def test_another_seed_gives_other_weights(tmp_path):
    assert sha(train(settings(steps=1), tmp_path / "a")) != sha(train(settings(steps=1, seed=1), tmp_path / "b"))


def test_the_weights_are_those_that_are_loaded(tmp_path):
    folder = train(settings(steps=2), tmp_path / "run")
    assert Run(folder).agent.policy.hidden == (8,)
    (folder / "model.safetensors").write_bytes(b"x" * 100)
    with pytest.raises(ModelError):
        _ = Run(folder).agent


def test_a_folder_with_a_run_is_not_overwritten(tmp_path):
    train(settings(steps=1), tmp_path)
    with pytest.raises(SettingError, match="--resume"):
        train(settings(steps=1), tmp_path)
    with pytest.raises(ModelError, match="no run"):
        train(settings(steps=1), tmp_path / "none", resume=True)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"steps": 0}, "steps = 0"),
        ({"stepz": 3}, "stepz"),
        ({"agent": "maml", "schedule": "linear"}, "schedule = linear has no effect with agent = maml"),
        ({"agent": "rl2", "schedule": "halving"}, "schedule = 'halving'"),
        ({"agent": "mamel"}, "did you mean 'maml'"),
        ({"environment": "navigaton"}, "did you mean 'navigation'"),
        ({"agent_arguments": {"hiden": 3}}, "no argument 'hiden'; it has"),
        ({"agent_arguments": {"hidden": "wide"}}, "hidden='wide'"),
        ({"agent_arguments": {"estimator": "dise"}}, "'dice', 'lvc' or 'score'"),
        ({"agent": "finetuned", "agent_arguments": {"inner_steps": 2}}, "inner_steps"),
        ({"environment_arguments": {"horizon": "long"}}, "horizon"),
        ({"environment_arguments": {"horizon": 0}}, "horizon=0 is out of range: give at least 1"),
        ({"environment": "bandits", "environment_arguments": {"arms": 0}}, "actions=0"),
        ({"environment": "mdps", "environment_arguments": {"states": 0}}, "observation_size=0"),
        ({"environment": "mdps", "environment_arguments": {"spread": -1.0}}, "spread=-1.0"),
        ({"environment": "sparse-navigation", "environment_arguments": {"radius": 0.0}}, "radius=0.0"),
        ({"agent_arguments": {"activation": "sigmoid"}}, "'tanh' or 'relu'"),
        ({"agent_arguments": {"n_episodes": 0}}, "n_episodes=0"),
        ({"agent_arguments": {"inner_steps": -1}}, "inner_steps=-1"),
        ({"agent_arguments": {"curvature_episodes": 0}}, "curvature_episodes=0"),
        ({"agent_arguments": {"cg_steps": 0}}, "cg_steps=0"),
        ({"agent_arguments": {"max_kl": -1.0}}, "max_kl=-1.0"),
        ({"agent_arguments": {"discount": 2.0}}, "discount=2.0 is out of range: give at least 0 and at most 1"),
        ({"agent_arguments": {"gae_lambda": -3.0}}, "gae_lambda=-3.0"),
        ({"agent_arguments": {"std": 0.0}}, "std=0.0"),
        ({"agent_arguments": {"hidden": [8, 0]}}, "hidden=0 is out of range: give at least 1"),
        ({"agent": "reptile", "outer_lr": 1e40}, r"outer_lr = 1e\+40: Input should be less than or equal to 1000000"),
        ({"agent": "reptile", "agent_arguments": {"inner_steps": 0}}, "inner_steps=0"),
        ({"agent": "rl2", "agent_arguments": {"clip": -1.0}}, "clip=-1.0"),
        ({"seed": 10**30}, "seed = 1000"),
        ({"tasks_per_step": True}, "tasks_per_step = True"),
    ],
)
def test_wrong_settings_are_refused_in_one_line(values, message):
    with pytest.raises(SettingError, match=message) as error:
        settings_of(values)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_signal_ends_the_command_between_two_steps(tmp_path):
    command = [sys.executable, "-m", "quickstudy", "rl", "train", "--steps", "100000", "--out", str(tmp_path / "run")]
    arguments = json.dumps(SMALL["maml"])
    process = subprocess.Popen([*command, "--agent-arguments", arguments], stderr=subprocess.PIPE, text=True)
    while not (tmp_path / "run" / "model.safetensors").exists():
        time.sleep(0.2)
    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGTERM
    assert "continue with `quickstudy rl train --resume" in errors


def test_a_run_is_not_continued_with_other_settings(tmp_path):
    folder = train(settings(steps=2), tmp_path / "run")
    before = (folder / "run.json").read_bytes()
    for changed, message in (({"seed": 5}, "another seed"), ({"agent": "reptile"}, "agent"), ({"steps": 1}, "steps")):
        with pytest.raises(SettingError, match=message):
            train(settings(**{"steps": 2} | changed), folder, resume=True)
    assert (folder / "run.json").read_bytes() == before


def test_a_result_stays_until_the_weights_change(tmp_path):
    folder = train(settings(steps=1), tmp_path / "run")
    short, long = ({"means": [0.0] * n, "ci95": [0.0] * n, "n_tasks": 2, "seed": 0} for n in (2, 4))
    for each in (short, long, short):
        Run(folder).save_result(each)
    train(settings(steps=1), folder, resume=True)  # nothing is left to train
    assert json.loads((folder / "result.json").read_text())["evaluations"] == [long, short]
    for damaged in ("[]", '{"evaluations": [3]}', "{"):
        (folder / "result.json").write_text(damaged)
        with pytest.raises(ModelError, match=r"result\.json"):
            Run(folder).save_result(short)
    train(resumed(folder, 2), folder, resume=True)
    assert not (folder / "result.json").exists()


def test_an_outer_rate_is_refused_by_agents_that_have_none():
    with pytest.raises(SettingError, match=r"outer_lr = 0\.5 has no effect with agent = maml: a trust region decides"):
        settings_of({"agent": "maml", "outer_lr": 0.5})
    assert settings_of({"agent": "finetuned"}).outer_lr is None
    assert settings_of({"agent": "finetuned", "outer_lr": 0.1}).outer_lr == 0.1  # as runs of 1.0.0 stored it
