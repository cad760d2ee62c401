"""A call of the library leaves the process as it was; a command may keep memory and choose its threads."""

import ctypes
import json
import os
import signal
import warnings

import numpy as np
import pytest
import torch
import torch._dynamo  # sets variables and filters warnings; torch imports it when an optimiser is first made
from typer.testing import CliRunner

import quickstudy as qs
from quickstudy.cli.app import app
from quickstudy.nets import MLP
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.settings import complete
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.training import process

SETTINGS = {"algorithm": "maml", "data": "sinusoid", "steps": 2, "validation_tasks": 2, "threads": 3}


def learner():
    return qs.MAML(MLP(), 1, inner_lr=0.01, loss="mse")


def dropout():
    net = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Dropout(), torch.nn.Linear(4, 4))
    return qs.MAML(net, 1, inner_lr=0.01, loss="mse")


def train(one, folder):
    qs.train(one, Sinusoid(), steps=2, validation=Sinusoid(split="validation"))


def evaluate(one, folder):
    qs.evaluate(one, Sinusoid(split="test"), n_tasks=2)


def experiment(one, folder):
    for _ in Experiment(complete(SETTINGS)).train():
        pass


def resumed(one, folder):
    for _ in Experiment(complete(SETTINGS)).train(folder):
        pass
    for _ in Experiment(complete(SETTINGS | {"steps": 3})).train(folder, resume=True):
        pass


def process_state():
    return {
        "threads": (torch.get_num_threads(), torch.get_num_interop_threads()),
        "default type": torch.get_default_dtype(),
        "gradients": torch.is_grad_enabled(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "attention": (torch.backends.cuda.flash_sdp_enabled(), torch.backends.cuda.mem_efficient_sdp_enabled()),
        "torch's random numbers": torch.get_rng_state().tolist(),
        "numpy's random numbers": np.random.get_state()[1].tolist(),  # noqa: NPY002  # the global one is looked at
        "seeds for GPUs to come": len(torch.cuda._queued_calls),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "signals": (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)),
        "warnings": (list(warnings.filters), warnings.showwarning),
    }


@pytest.fixture
def mallopt(monkeypatch):
    calls = []

    class Libc:
        def __init__(self, name):
            pass

        def mallopt(self, *arguments):
            calls.append(arguments)

    monkeypatch.setattr(ctypes, "CDLL", Libc)
    return calls


@pytest.mark.parametrize("net", [learner, dropout])
@pytest.mark.parametrize("call", [train, evaluate, experiment, resumed])
def test_the_library_leaves_the_process_as_it_was(call, net, mallopt, tmp_path):
    one = net()
    before = process_state()
    call(one, tmp_path / "run")
    assert process_state() == before
    assert mallopt == []


def test_threads_are_those_of_the_settings_in_a_step_and_the_callers_between():
    run = Experiment(complete(SETTINGS))
    seen, step = [], run.learner.meta_loss
    run.learner.meta_loss = lambda task: (seen.append(torch.get_num_threads()), step(task))[1]
    between = [torch.get_num_threads() for _ in run.train()]
    assert set(seen) == {3}
    assert between == [1, 1]


def test_a_training_that_is_left_half_done_gives_the_threads_back():
    progress = Experiment(complete(SETTINGS)).train()
    next(progress)
    progress.close()
    assert torch.get_num_threads() == 1


def test_an_error_gives_the_threads_back():
    with pytest.raises(ValueError, match="stop"), process.threads(3):
        raise ValueError("stop")
    assert torch.get_num_threads() == 1


def test_the_commands_that_train_keep_memory_and_evaluate_with_the_threads_of_the_settings(mallopt, tmp_path):
    flags = ["--algorithm", "maml", "--data", "sinusoid", "--steps", "2", "--validation-tasks", "2", "--threads", "3"]
    trained = CliRunner().invoke(app, ["train", *flags, "--out", str(tmp_path / "run")], catch_exceptions=False)
    assert trained.exit_code == 0
    assert mallopt == [(-4, 0), (-1, -1)]
    assert json.loads((tmp_path / "run" / "run.json").read_text())["threads"] == 3
    shown = CliRunner().invoke(app, ["evaluate", str(tmp_path / "run"), "--n-tasks", "2", "--json"])
    assert json.loads(shown.stdout)["evaluation"]["threads"] == 3
    assert torch.get_num_threads() == 1
