import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

import quickstudy.runs.train
from tests.limits import HANGING

TRAIN = shlex.split("train --data sinusoid --steps 6 --tasks-per-step 5 --validate-every 3 --validation-tasks 7")
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
