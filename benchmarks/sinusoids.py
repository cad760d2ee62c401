"""Sinusoid regression: error after 0 to 10 inner steps from 5, 10 and 20 points, inside and outside the training range.

MAML is trained at 10 points by Finn's protocol, with two inner rates, and Reptile by Nichol's. Weights start as torch
draws them or, where a name says so, as Finn's program does: normal, cut off at two standard deviations of 0.01, biases
0. That start is worse, and the published curves are of it; how well one such training does is a matter of its seed, so
that there are eight. A training takes 3 to 10 minutes of one core; what is there is left alone.

python benchmarks/sinusoids.py --out results/sinusoid
"""

import argparse
import json
import math
from pathlib import Path

import torch

from quickstudy import evaluate
from quickstudy.runs.experiment import Experiment
from quickstudy.runs.provenance import provenance
from quickstudy.runs.settings import complete
from quickstudy.tasks.sinusoid import Sinusoid
from quickstudy.training.process import keep_memory

MAML = {"algorithm": "maml", "steps": 70_000}
LEARNERS = {
    "maml-0.001": {**MAML, "inner_lr": 0.001},
    "maml-0.01": {**MAML, "inner_lr": 0.01},
    **{f"maml-0.001-finn-{seed}": {**MAML, "inner_lr": 0.001, "seed": seed} for seed in range(8)},
    "maml-0.01-finn-0": {**MAML, "inner_lr": 0.01},
    "reptile": {"algorithm": "reptile", "steps": 30_000, "schedule": "linear"},
}
"""Algorithm, inner rate, whose start if not torch's, and seed."""
RANGES = {
    "as trained": {},
    "amplitudes 5 to 10": {"amplitude": (5.0, 10.0)},
    "phases pi to 2 pi": {"phase": (math.pi, 2 * math.pi)},
}
DIVERGED = 100.0
"""Squared error beyond which a task counts as diverged: the largest target's square is 25 in the training range."""


def curves(learner, n_tasks):
    rows = []
    for where, ranges in RANGES.items():
        for n_shot in (5, 10, 20):
            tasks = Sinusoid(n_shot, 50, seed=0, split="test", **ranges)
            for steps in range(11):
                learner.test_steps = steps
                found = evaluate(learner, tasks, n_tasks=n_tasks)
                diverged = sum(not value < DIVERGED for value in found.values) / n_tasks
                rows.append(
                    {"range": where, "n_shot": n_shot, "test_steps": steps, **found.summary(), "diverged": diverged}
                )
    return rows


def start_as_finn(learner, seed):
    """Finn et al. 2017, https://github.com/cbfinn/maml: truncated_normal(stddev=0.01) and zeros."""
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in learner.parameters():
            if parameter.ndim == 1:
                parameter.zero_()
            else:
                torch.nn.init.trunc_normal_(parameter, std=0.01, a=-0.02, b=0.02, generator=random)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--n-tasks", type=int, default=2000)
    parser.add_argument("--steps", type=int, help="of each training; the papers' if not given")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    torch.set_num_threads(1)
    keep_memory()
    args.out.mkdir(parents=True, exist_ok=True)
    for name, given in LEARNERS.items():
        path = args.out / f"{name}.json"
        if path.exists():
            continue
        given = given | ({"steps": args.steps} if args.steps else {})
        schedule = {"schedule": given.get("schedule", "constant")}
        settings = complete({"data": "sinusoid", "validate_every": 10**9, **given, **schedule})
        experiment = Experiment(settings)
        if "finn" in name:
            start_as_finn(experiment.learner, settings.seed)
        for p in experiment.train():
            seconds = p.seconds
        print(f"{name}: {p.step} steps, {seconds:.0f} s", flush=True)
        record = {
            "name": name,
            "settings": settings.model_dump(mode="json"),
            "seconds": round(seconds, 1),
            "rows": curves(experiment.learner, args.n_tasks),
            **provenance(),
        }
        path.write_text(json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    main()
