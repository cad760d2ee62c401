"""Meta-train on invented characters, then learn new characters and digits from 1 and 5 examples; then learn to act.

    python demo/demo.py [--out FOLDER] [--scale FRACTION]

Writes report.html and results.json. Exits with 1 if meta-learning did not pay.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import torch
from navigation import Walks, walk
from report import MORE_STEPS, write_report
from rich.console import Console
from rich.table import Table

import quickstudy as qs
from quickstudy.io.files import replace
from quickstudy.runs.provenance import provenance
from quickstudy.tasks.task import TaskSource
from quickstudy.training import show
from quickstudy.training.process import keep_memory

TASKS = {1: 150, 5: 50}
"""Test tasks by examples a class: from one example, accuracy varies more from task to task."""
BASELINES = ("Pretrained", "No training before")
VALIDATIONS, VALIDATION_TASKS = 5, 20
"""Validations of each training, and tasks of each."""
MORE_TASKS = 20
"""Tasks of digits on which more inner steps are tried."""


class Recipe(NamedTuple):
    """How one learner is trained here: a short, fixed number of steps of one task (or batch) each."""

    name: str
    what: str
    learner: Callable[[], qs.Learner]
    tasks: Callable[[qs.Splits], TaskSource]
    steps: int
    lr: float


@dataclass
class Outcome:
    """What became of a recipe: figures by test set and shots."""

    recipe: Recipe
    learner: qs.Learner
    losses: list[float] = field(default_factory=list)
    validations: dict[int, qs.Evaluation] = field(default_factory=dict)
    more_steps: qs.Evaluation | None = None
    seconds: float = 0.0
    results: dict[str, dict[int, qs.Evaluation]] = field(default_factory=dict)


def net() -> qs.Conv4:
    return qs.Conv4(width=32)


def reptile() -> qs.Reptile:
    return qs.Reptile(net(), 20, inner_rule="sgd", inner_lr=0.03, inner_batch=20, test_steps=3)


def episodes(n_shot: int, n_query: int) -> Callable[[qs.Splits], TaskSource]:
    """Tasks of 20 classes: harder than the 5 of the tests, so each teaches more."""
    return lambda splits: qs.Episodes(splits.train, 20, n_shot, n_query)


RECIPES = (
    Recipe(
        "MAML", "gradient steps from learned weights", lambda: qs.MAML(net(), 20, inner_lr=0.05),
        episodes(1, 2), 600, 4e-3,
    ),
    Recipe("Reptile", "weights moved towards each task's", reptile, episodes(5, 0), 300, 4e-3),
    Recipe("Siamese", "same or different, pair by pair", lambda: qs.Siamese(net()), episodes(1, 3), 400, 2e-3),
    Recipe("Matching", "attention over the examples", lambda: qs.Matching(net()), episodes(1, 3), 400, 2e-3),
    Recipe("Prototypical", "the nearest class mean", lambda: qs.Prototypical(net()), episodes(1, 3), 400, 2e-3),
    Recipe(
        BASELINES[0], "ordinary training on all classes, then a new head",
        lambda: qs.Baseline(net(), 600, head_steps=50), lambda splits: qs.Batches(splits.train, 128), 350, 1e-3,
    ),
    Recipe(BASELINES[1], "the same net, trained on the few examples alone", reptile, episodes(5, 0), 0, 4e-3),
)  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "out")
    parser.add_argument("--scale", type=float, default=1.0, help="fraction of the training steps and test tasks")
    args = parser.parse_args()
    keep_memory()
    start = time.perf_counter()
    console = Console(stderr=True)
    splits = qs.glyphs()
    tests = {"unseen glyphs": splits.test, "real digits": qs.digits()}
    outcomes = [run(recipe, splits, tests, args.scale, console) for recipe in RECIPES]
    args.out.mkdir(parents=True, exist_ok=True)
    walks = walk(args.out / "navigation", args.scale)
    seconds = time.perf_counter() - start
    replace(args.out / "results.json", (json.dumps(figures(outcomes, walks, seconds), indent=2) + "\n").encode())
    write_report(args.out / "report.html", outcomes, tests, walks, seconds)
    Console().print(table(outcomes))
    print(f"navigation, {walks.trained} (without training before: {walks.untrained.means[1]:.1f} after 1)")
    print(f"{args.out / 'report.html'}: look at it in a browser ({seconds:.0f} s in all)")
    print(yours())
    return verdict(outcomes, walks)


def run(
    recipe: Recipe, splits: qs.Splits, tests: dict[str, qs.ClassDataset], scale: float, console: Console
) -> Outcome:
    """Train one learner and test it on what it never saw."""
    torch.manual_seed(0)
    outcome = Outcome(recipe, recipe.learner())
    start = time.perf_counter()
    if steps := math.ceil(recipe.steps * scale):
        optimizer = torch.optim.Adam(outcome.learner.parameters(), lr=recipe.lr)
        loop = qs.outer_loop(
            outcome.learner,
            recipe.tasks(splits),
            optimizer,
            steps=steps,
            schedule=torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps),
            validation=qs.Episodes(splits.validation, 5, 1, 10, split="validation"),
            validate_every=math.ceil(steps / VALIDATIONS),
            validation_tasks=VALIDATION_TASKS,
        )
        for p in show(loop, steps, f"{recipe.name:12}"):
            outcome.losses.append(p.loss)
            if p.validation is not None:
                outcome.validations[p.step] = p.validation
    outcome.learner.eval()
    outcome.seconds = time.perf_counter() - start
    for name, data in tests.items():
        outcome.results[name] = {
            k: qs.evaluate(
                outcome.learner, qs.Episodes(data, 5, k, 10, split="test"), n_tasks=max(2, math.ceil(n * scale))
            )
            for k, n in TASKS.items()
        }
    if outcome.losses and hasattr(outcome.learner, "test_steps"):
        few, outcome.learner.test_steps = outcome.learner.test_steps, MORE_STEPS
        tasks = qs.Episodes(tests["real digits"], 5, 5, 10, split="test")
        outcome.more_steps = qs.evaluate(outcome.learner, tasks, n_tasks=max(2, math.ceil(MORE_TASKS * scale)))
        outcome.learner.test_steps = few
    first = outcome.results["unseen glyphs"][1]
    console.print(
        f"{recipe.name:18} trained {outcome.seconds:5.1f} s; unseen glyphs, 1 example: {first}", highlight=False
    )
    return outcome


def figures(outcomes: list[Outcome], walks: Walks, seconds: float) -> dict[str, object]:
    """Everything that was measured, for programs."""
    return {
        "task": "5-way, classes never seen in training, inductive",
        "chance": 0.2,
        "seed": 0,
        "seconds": seconds,
        "learners": {
            o.recipe.name: {
                "training_seconds": o.seconds,
                "steps": len(o.losses),
                "validations": {str(step): e.summary() for step, e in o.validations.items()},
                "digits 5-shot, more inner steps": o.more_steps and {"steps": MORE_STEPS, **o.more_steps.summary()},
                **{name: {str(k): e.summary() for k, e in by_shot.items()} for name, by_shot in o.results.items()},
            }
            for o in outcomes
        },
        "navigation": walks.summary(),
        **provenance(),
    }


def yours() -> str:
    """What to do next: two commands to paste."""
    installed = Path(sys.executable).with_name("quickstudy")
    name = os.path.relpath(installed) if installed.exists() else "quickstudy"
    return (
        "\nnow your own pictures, in a folder for each thing (my-pictures/THING/IMAGE.png):\n"
        f"    {name} adapt my-pictures -o my-classifier\n"
        f"    {name} predict my-classifier new.png\n"
        f"none at hand? `{name} examples` writes some: examples/pictures and examples/new1.png"
    )


def table(outcomes: list[Outcome]) -> Table:
    """Accuracy in %, with 95% intervals, from 1 and 5 examples."""
    n_tasks = " and ".join(f"{r.n_tasks} {k}-shot tasks" for k, r in outcomes[0].results["unseen glyphs"].items())
    heading = "New classes, 5-way, inductive: accuracy in % with its 95% interval (chance 20)"
    out = Table(title=f"{heading}\nover {n_tasks}")
    out.add_column("learner", no_wrap=True)
    for name in outcomes[0].results:
        for k in TASKS:
            out.add_column(f"{name.split()[-1]}\n{k}-shot", justify="right", no_wrap=True)
    for o in outcomes:
        cells = [percent(by_shot[k]) for by_shot in o.results.values() for k in TASKS]
        out.add_row(o.recipe.name, *cells)
    return out


def percent(result: qs.Evaluation) -> str:
    return f"{100 * result.mean:.1f} ± {100 * result.ci95:.1f}"


def verdict(outcomes: list[Outcome], walks: Walks) -> int:
    """Whether every meta-learner beats its baselines, beyond both intervals: from one example, and after one update."""
    at_one = {o.recipe.name: o.results["unseen glyphs"][1] for o in outcomes}
    bar = max(at_one[name].mean + at_one[name].ci95 for name in BASELINES)
    worse = [name for name, r in at_one.items() if name not in BASELINES and r.mean - r.ci95 <= bar]
    if not walks.paid():
        worse.append("MAML on navigation")
    if worse:
        print(f"not better than without meta-learning, beyond the intervals: {', '.join(worse)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
