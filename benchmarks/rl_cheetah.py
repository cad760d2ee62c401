"""Half-cheetah that runs in a direction: returns of MAML after 0 to 3 updates, within a time limit.

python -m benchmarks.rl_cheetah --runs /tmp/runs --minutes 120

Trains on one core until the time is over, or continues an interrupted training, and writes results/rl/cheetah.json with
the curve of the training. It needs mujoco.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from pathlib import Path
from typing import Any

import torch

from quickstudy.errors import Interrupted
from quickstudy.io.files import replace
from quickstudy.rl.evaluation import evaluate
from quickstudy.rl.run import Run
from quickstudy.rl.settings import settings_of
from quickstudy.rl.training import outer_loop
from quickstudy.runs.provenance import provenance
from quickstudy.training.process import keep_memory

PUBLISHED = (-50.69, 293.19, 313.48, 315.65)
STEPS, TASKS = 2000, 40
SETTINGS = {
    "agent": "maml",
    "environment": "cheetah-direction",
    "agent_arguments": {"inner_lr": 0.1, "max_kl": 0.02},
    "tasks_per_step": 10,
    "steps": STEPS,
    "seed": 1,
}


def table(record: dict[str, Any]) -> str:
    """Return the table of docs/rl.md."""
    test = record["test"]
    ours = (f"{mean:.0f} ± {ci95:.0f}" for mean, ci95 in zip(test["means"], test["ci95"], strict=True))
    millions = record["steps_of_the_environment"] / 1e6
    lines = [
        "| | before | 1 update | 2 updates | 3 updates | outer steps | steps of the environment | minutes |",
        "|---|---|---|---|---|---|---|---|",
        f"| Finn et al. 2017 | {' | '.join(f'{value:.0f}' for value in record['published'])} | | | |",
        f"| `maml` | {' | '.join(ours)} | {record['steps']} | {millions:.0f} million | "
        f"{record['training_seconds'] / 60:.0f} |",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--minutes", type=float, default=120)
    parser.add_argument("--out", type=Path, default=Path("results/rl"))
    a = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    settings, folder = settings_of(SETTINGS), a.runs / "cheetah"
    end = time.monotonic() + 60 * a.minutes
    try:
        for p in outer_loop(
            settings,
            folder,
            resume=Run(folder).exists(),
            stop=lambda: signal.SIGALRM if time.monotonic() > end else 0,
        ):
            print(p.step, p.figures, f"{p.seconds:.0f} s", flush=True)
    except Interrupted as interrupted:
        print(interrupted)
    run = Run(folder)
    lines = list(run.metrics())
    test = evaluate(run.agent, run.environment, n_tasks=TASKS, seed=1).summary()
    record = {
        "published": PUBLISHED,
        "settings": settings.model_dump(),
        "steps": len(lines),
        "steps_of_the_environment": sum(line["steps"] for line in lines),
        "training_seconds": lines[-1]["seconds"],
        "curve": [[line["step"], round(line["return"], 1), round(line["adapted"], 1)] for line in lines[::5]],
        "test": test,
        **provenance(),
    }
    replace(a.out / "cheetah.json", (json.dumps(record, indent=1) + "\n").encode())
    print(test)


if __name__ == "__main__":
    main()
