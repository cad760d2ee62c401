import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

import quickstudy as qs
import quickstudy.runs.train
from quickstudy.tasks.task import Examples, Task, UnequalTasks
from quickstudy.training import outer_loop
from quickstudy.training.workers import ALONE, join
from tests.limits import HANGING

TRAIN = shlex.split(
    "train --data sinusoid --steps 6 --tasks-per-step 5 --validate-every 3 --validation-tasks 11"
)  # one more than a batch: a process has none
# A rendezvous that takes a free port by itself: one that is looked up before can be gone by the time it is used.
TORCHRUN = [
    *[sys.executable, "-m", "torch.distributed.run", "--local-addr", "127.0.0.1"],
    *["--rdzv-backend", "c10d", "--rdzv-endpoint", "127.0.0.1:0"],
]


def run(folder: Path, *command: str) -> dict[str, object]:
    """Train in real processes; the last line of the metrics."""
    done = subprocess.run([*command, "--out", str(folder)], capture_output=True, text=True, timeout=HANGING)
    assert done.returncode == 0, done.stderr
    lines = (folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 7))
    return json.loads(lines[-1])


@pytest.mark.slow
@pytest.mark.parametrize(("algorithm", "n"), [("maml", 2), ("maml", 4), ("reptile", 2), ("reptile", 4)])
def test_two_and_four_processes_walk_the_path_of_one(tmp_path, algorithm, n):
    quickstudy = [sys.executable, "-m", "quickstudy", *TRAIN, "--algorithm", algorithm]
    launched = [
        *TORCHRUN,
        "--nproc-per-node",
        "4",
        "--module",
        "quickstudy",
        *quickstudy[3:],
    ]
    commands = {1: quickstudy, 2: [*quickstudy, "--workers", "2"], 4: launched}
    last = {k: run(tmp_path / str(k), *commands[k]) for k in (1, n)}
    weights = {k: load_file(tmp_path / str(k) / "model.safetensors") for k in (1, n)}
    assert last[n]["loss"] == pytest.approx(last[1]["loss"], rel=1e-5)
    assert last[n]["validation"]["mean"] == pytest.approx(last[1]["validation"]["mean"], rel=1e-5)
    for name, w in weights[1].items():
        assert (weights[n][name] - w).abs().max() <= 1e-5 * w.abs().max()


def test_workers_without_a_task_are_refused_in_one_line_before_anything_starts(refused, monkeypatch):
    monkeypatch.setattr(quickstudy.runs.train, "launch", None)
    err = refused(*TRAIN, "--algorithm", "maml", "--workers", "6", "--out", "run")
    assert err.startswith("quickstudy: tasks_per_step=5 leaves some of 6 workers idle")


class ScaleByShots(qs.Prototypical):
    """One scale for tasks of one shot, another for all others, so a process may have a gradient for one alone."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__(net)
        self.one, self.several = nn.Parameter(torch.ones(())), nn.Parameter(torch.ones(()))

    def prediction_loss(self, prediction: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        scale = self.one if len(y) == y.shape[1] else self.several
        return super().prediction_loss(scale * prediction, y)


class OneAndTwoShots:
    def sample(self, step: int, n_tasks: int) -> UnequalTasks:
        draw = torch.Generator().manual_seed(step)
        parts = [Examples(torch.randn(3 * n, 4, generator=draw), torch.eye(3).repeat(n, 1)) for n in (1, 2)]
        return UnequalTasks(tuple(Task(parts[i % 2], parts[i % 2]) for i in range(n_tasks)))


def scales(workers: object, folder: Path) -> None:
    learner = ScaleByShots(nn.Identity())
    learner.net.out_features = 4
    optimizer = torch.optim.Adam(learner.parameters(), 0.1)
    list(outer_loop(learner, OneAndTwoShots(), optimizer, steps=3, tasks_per_step=4, workers=workers))
    torch.save([learner.one.item(), learner.several.item()], folder / f"{workers.rank}-of-{workers.size}")


def one_of_two(rank: int, folder: Path) -> None:
    meeting = str(folder / "meeting")
    os.environ.update(WORLD_SIZE="2", RANK=str(rank), LOCAL_RANK=str(rank), MEETING_FILE=meeting)
    with join(HANGING) as workers:
        scales(workers, folder)


def test_a_weight_that_the_tasks_of_one_process_use_moves_in_all(tmp_path):
    scales(ALONE, tmp_path)
    torch.multiprocessing.spawn(one_of_two, (tmp_path,), nprocs=2)
    alone, *others = (torch.load(tmp_path / name) for name in ("0-of-1", "0-of-2", "1-of-2"))
    assert others == [pytest.approx(alone, rel=1e-5)] * 2
    assert all(abs(scale - 1) > 0.01 for scale in alone)
