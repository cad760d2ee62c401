"""The outer rate and the test steps of every learner of the leaderboard, each by one study on validation classes.

python -m benchmarks.studies --data-root data/omniglot --out results/studies maml reptile ...

One rule for all. ``quickstudy tune`` searches the outer rate, and the test steps of learners that have them. Trials are
short trainings of the leaderboard's recipe. Their 5-way 1-shot accuracy on Omniglot's validation alphabets decides, and
those that fall behind end early. A study that was interrupted continues; a learner whose record is there is left alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from benchmarks.leaderboard import REFERENCE, arguments, recipe, settings_of, step_seconds
from quickstudy.io.files import replace
from quickstudy.learners import LEARNERS
from quickstudy.runs.needs import takes
from quickstudy.runs.provenance import provenance
from quickstudy.runs.run import Run
from quickstudy.runs.tune import tune
from quickstudy.training.process import keep_memory

SPACE = ["outer_lr=5e-4..5e-2"]
STEPS = "test_steps=1..16"
VALIDATIONS = 5
"""Validations of a trial; at each, the best third continues."""


def space_of(flags: dict[str, Any]) -> list[str]:
    """Return what is searched: test steps only where a learner takes them."""
    return [*SPACE, STEPS] if takes(LEARNERS, flags["algorithm"], "test_steps") else SPACE


def tried(folder: Path, space: list[str]) -> list[dict[str, Any]]:
    """Return the searched settings of each trial and its accuracy at each validation."""
    rows = []
    for run in map(Run, sorted(folder.glob("trial-????"))):
        values = [line["validation"]["mean"] for line in run.metrics() if line.get("validation")]
        names = [each.partition("=")[0] for each in space]
        rows.append({**{name: getattr(run.settings, name) for name in names}, "validation": values})
    return rows


def study(algorithm: str, data_root: Path, folder: Path, speed: float, given: argparse.Namespace) -> dict[str, Any]:
    """Search for one learner, and return the record."""
    steps = folder / "steps.json"  # timed once, so that an interrupted study continues with the same settings
    if not steps.exists():
        seconds = step_seconds(settings_of(algorithm, "omniglot", data_root, given.seed))
        folder.mkdir(parents=True, exist_ok=True)
        replace(steps, str(max(VALIDATIONS, int(60 * given.minutes / speed / seconds))).encode())
    n = int(steps.read_text())
    flags = recipe(algorithm, "omniglot", data_root, given.seed)
    flags |= {"steps": n, "validate_every": n // VALIDATIONS, "validation_tasks": given.validation_tasks}
    space = space_of(flags)
    found = tune(space, folder / "study", flags=flags, trials=given.trials)
    return {
        "algorithm": algorithm,
        "minutes": given.minutes,
        "validation_tasks": given.validation_tasks,
        "steps": n,
        "space": space,
        "trials": tried(folder / "study", space),
        "ended": found.trials,
        "chosen": found.settings,
        "accuracy": found.validation,
        **provenance(),
    }


def main() -> None:
    parser = arguments(__doc__, "studies", minutes=2)
    parser.add_argument("--data-root", type=Path, required=True, help="of Omniglot")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--validation-tasks", type=int, default=200)
    given = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    given.out.mkdir(parents=True, exist_ok=True)
    speed = REFERENCE / step_seconds(settings_of("prototypical", "glyphs", None, given.seed))
    for algorithm in given.algorithms:
        path = given.out / f"{algorithm}.json"
        if path.exists():
            continue
        record = study(algorithm, given.data_root, given.runs / algorithm, speed, given)
        replace(path, (json.dumps(record, indent=1) + "\n").encode())
        print(algorithm, record["chosen"], f"{100 * record['accuracy']:.2f}", record["ended"], flush=True)


if __name__ == "__main__":
    main()
