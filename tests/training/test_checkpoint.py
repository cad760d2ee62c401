"""A checkpoint is there whole or not at all, and what was damaged is seen."""

import json
import os
import random
import shutil
from pathlib import Path

import pytest
import torch
from torch import Tensor

from quickstudy import MAML, MLP, Sinusoid
from quickstudy.errors import CheckpointError
from quickstudy.training import State, outer_loop
from quickstudy.training.checkpoint import KEEP, Checkpoints, read, write

PART = {"learner": {"w": torch.arange(6.0).view(2, 3), "n": torch.tensor(3)}}


class Run:
    """A small run whose every state can be looked at."""

    def __init__(self, folder: Path, schedule: str = "cosine", optimizer: str = "adam") -> None:
        torch.manual_seed(0)
        self.learner = MAML(MLP(1, (8,)), 1, inner_lr=0.01, loss="mse")
        make = torch.optim.Adam if optimizer == "adam" else torch.optim.SGD
        self.optimizer = make(self.learner.parameters(), lr=0.01)
        lr = torch.optim.lr_scheduler
        schedules = {
            "cosine": lambda o: lr.CosineAnnealingLR(o, 12),
            "linear": lambda o: lr.LinearLR(o, 1.0, 0.0, 12),
            "halving": lambda o: lr.StepLR(o, 5, 0.5),
        }
        self.schedule = schedules[schedule](self.optimizer)
        self.state = State()
        self.checkpoints = Checkpoints(folder, self.learner, self.optimizer, self.schedule, self.state)

    def go(self, until: int = 12, patience: int | None = None) -> list[float]:
        loop = outer_loop(
            self.learner,
            Sinusoid(),
            self.optimizer,
            steps=12,
            tasks_per_step=2,
            schedule=self.schedule,
            validation=Sinusoid(split="validation"),
            validate_every=2,
            validation_tasks=4,
            patience=patience,
            state=self.state,
        )
        losses = []
        while self.state.step < until and (progress := next(loop, None)):
            losses.append(progress.loss)
        if until == 12:
            assert next(loop, None) is None
        return losses


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("schedule", ["cosine", "linear", "halving"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd"])
@pytest.mark.parametrize("at", range(1, 12, 2))
def test_a_run_that_went_on_from_any_step_ends_as_one_that_never_stopped(tmp_path, at, optimizer, schedule):
    whole = Run(tmp_path / "whole", schedule, optimizer)
    losses = whole.go()
    first = Run(tmp_path / "run", schedule, optimizer)
    before = first.go(until=at)
    first.checkpoints.save(note="kept")
    second = Run(tmp_path / "run", schedule, optimizer)
    torch.manual_seed(99)  # nothing hangs on the global generator
    assert second.checkpoints.restore()["note"] == "kept"
    assert before + second.go() == losses
    assert same(second.learner.state_dict(), whole.learner.state_dict())
    groups = [json.dumps(run.optimizer.state_dict()["param_groups"]) for run in (second, whole)]
    assert groups[0] == groups[1]
    assert second.state.best == whole.state.best


def test_patience_that_ran_out_does_not_begin_again(tmp_path):
    first = Run(tmp_path)
    done = first.go(patience=1)
    assert len(done) < 12
    first.checkpoints.save()
    second = Run(tmp_path)
    second.checkpoints.restore()
    assert second.go(patience=1) == []


def test_what_was_written_is_read(tmp_path):
    write(tmp_path / "step-1", PART, {"step": 1})
    tensors, plain = read(tmp_path / "step-1")
    assert same(tensors["learner"], PART["learner"])
    assert plain == {"step": 1}


def test_only_the_newest_and_the_best_stay(tmp_path):
    run = Run(tmp_path)
    for step in range(1, 7):
        run.state.step, run.state.best_step = step, 2
        run.checkpoints.save()
    assert run.checkpoints.steps() == [2, *range(7 - KEEP, 7)]


def test_every_flipped_bit_and_every_cut_is_seen(tmp_path):
    rng = random.Random(0)
    write(tmp_path / "step-1", PART, {"step": 1})
    files = sorted((tmp_path / "step-1").iterdir())
    for trial in range(400):
        path = rng.choice(files)
        content = path.read_bytes()
        damaged = bytearray(content)
        if trial % 4:
            bit = rng.randrange(8 * len(content))
            damaged[bit // 8] ^= 1 << bit % 8
        else:
            del damaged[rng.randrange(len(content)) :]
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="step-1"):
            read(tmp_path / "step-1")
        path.write_bytes(content)
    read(tmp_path / "step-1")


def test_a_damaged_checkpoint_is_passed_over_with_a_warning_that_names_it(tmp_path):
    run = Run(tmp_path)
    for step in (1, 2):
        run.go(until=step)
        run.checkpoints.save()
    (tmp_path / "step-000000002" / "learner.safetensors").write_bytes(b"")
    again = Run(tmp_path)
    with pytest.warns(UserWarning, match="step-000000002"):
        again.checkpoints.restore()
    assert again.state.step == 1


def test_without_a_whole_checkpoint_there_is_one_line(tmp_path):
    with pytest.raises(CheckpointError, match="no valid checkpoint"):
        Run(tmp_path).checkpoints.restore()


class Writes:
    """The writes of files that are opened, to be made to fail."""

    @staticmethod
    def write(file, content):
        return file.write(content)


class Written:
    """A file whose writes go through ``Writes``; one that fails has written half."""

    def __init__(self, file):
        self.file = file

    def __getattr__(self, name):
        return getattr(self.file, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def write(self, content):
        try:
            return Writes.write(self.file, content)
        except OSError:
            self.file.write(content[: len(content) // 2])
            raise


CALLS = [(os, "fsync"), (Path, "rename"), (Path, "mkdir"), (Path, "open"), (Writes, "write")]


@pytest.mark.parametrize("error", [28, 13, 5], ids=["ENOSPC", "EACCES", "EIO"])
@pytest.mark.parametrize("call", range(1, 9))
@pytest.mark.parametrize(("owner", "name"), CALLS, ids=[name for _, name in CALLS])
def test_a_fault_at_any_call_leaves_the_state_before_whole(tmp_path, monkeypatch, owner, name, call, error):
    write(tmp_path / "step-1", PART, {"step": 1})
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda path, mode="r": Written(opened(path, mode)))
    real, calls = getattr(owner, name), 0

    def fails(*arguments, **named):
        nonlocal calls
        calls += 1
        if calls == call:
            raise OSError(error, os.strerror(error))
        return real(*arguments, **named)

    monkeypatch.setattr(owner, name, fails)
    try:
        write(tmp_path / "step-2", PART, {"step": 2})
    except OSError:
        pass
    else:
        assert calls < call
    monkeypatch.undo()
    assert read(tmp_path / "step-1")[1] == {"step": 1}
    assert not list(tmp_path.glob(".*"))
    if (tmp_path / "step-2").exists():
        read(tmp_path / "step-2")
    write(tmp_path / "step-2", PART, {"step": 2})
    assert read(tmp_path / "step-2")[1] == {"step": 2}


def test_a_checkpoint_of_a_later_version_is_not_guessed_at(tmp_path):
    run = Run(tmp_path)
    run.state.step = 1
    run.checkpoints.save(format=99)
    with pytest.warns(UserWarning, match="upgrade quickstudy"), pytest.raises(CheckpointError):
        run.checkpoints.restore()


def test_a_leftover_of_a_save_that_was_killed_is_no_checkpoint(tmp_path):
    run = Run(tmp_path)
    run.state.step = 1
    run.checkpoints.save()
    shutil.copytree(tmp_path / "step-000000001", tmp_path / ".step-000000002")
    assert run.checkpoints.steps() == [1]


def test_tied_weights_are_restored_and_stay_tied(tmp_path):
    run = Run(tmp_path)
    net = torch.nn.Sequential(torch.nn.Linear(1, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 8))
    net[2].weight = net[1].weight
    run.checkpoints.learner, run.checkpoints.optimizer = net, torch.optim.SGD(net.parameters(), lr=0.01)
    run.checkpoints.schedule = torch.optim.lr_scheduler.StepLR(run.checkpoints.optimizer, 5)
    run.state.best_weights = net.state_dict()
    run.checkpoints.save()
    weight = net[1].weight.detach().clone()
    with torch.no_grad():
        net[1].weight.zero_()
    run.checkpoints.restore()
    assert torch.equal(net[1].weight, weight)
    assert net[1].weight is net[2].weight
