"""Bernoulli bandits with 5 arms: RL2 beside Thompson sampling, UCB1, the Gittins index and random arms.

python -m benchmarks.rl_bandits --pulls 10 --seeds 1 --runs /tmp/runs

Trains RL2, or continues an interrupted training, and writes results/rl/bandits.json: the mean total reward with its
95 % interval over the same 2,000 new tasks for all. Published returns are those of Duan et al. 2016, table 1.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from quickstudy.io.files import replace
from quickstudy.rl.environments.bandits import Bandits
from quickstudy.rl.recurrent import play_trial
from quickstudy.rl.rollout import Draws
from quickstudy.rl.run import Run
from quickstudy.rl.settings import settings_of
from quickstudy.rl.training import train
from quickstudy.runs.provenance import provenance
from quickstudy.training.process import keep_memory

ARMS, TASKS = 5, 2000
OUTER_LR = 6e-3
SETTINGS: dict[int, dict[str, Any]] = {
    10: {"tasks_per_step": 2000, "steps": 150, "agent_arguments": {"episodes": 10, "entropy_weight": 0.003}},
    100: {
        "tasks_per_step": 1000,
        "steps": 200,
        "agent_arguments": {"episodes": 100, "grow_steps": 60, "entropy_weight": 0.003},
    },
    500: {
        "tasks_per_step": 500,
        "steps": 260,
        "agent_arguments": {"episodes": 500, "grow_steps": 200, "entropy_weight": 0.003},
    },
}
PUBLISHED = {
    10: {"random": 5.0, "gittins": 6.6, "thompson": 5.7, "ucb1": 6.7, "rl2": 6.7},
    100: {"random": 49.9, "gittins": 78.3, "thompson": 74.7, "ucb1": 78.0, "rl2": 78.7},
    500: {"random": 249.8, "gittins": 405.8, "thompson": 402.0, "ucb1": 405.8, "rl2": 401.6},
}
Index = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
"""Function from wins and losses of each arm, (n_tasks, arms), and the pulls so far to each arm's index."""


def gittins(pulls: int, grid: int = 1000) -> np.ndarray:
    """Return the Gittins index of a Beta(a, b) arm at [a, b], discounted by 1 - 1 / pulls, by dynamic programming.

    The index is the smallest sure rate for which one gives the arm up. Arms with many observations count as known.

    Source: Gittins 1979; Whittle 1980 for giving up.
    """
    discount, most = 1 - 1 / pulls, 2 * pulls + 20
    rates = np.linspace(0, 1, grid)
    sure, table = rates / (1 - discount), np.zeros((most, most))
    value = np.maximum(sure, (np.arange(most + 1) / most)[:, None] / (1 - discount))
    for n in range(most - 1, 1, -1):
        chance = (np.arange(n + 1) / n)[:, None]
        stay = chance * (1 + discount * value[1:]) + (1 - chance) * discount * value[:-1]
        for a in range(1, n):
            table[a, n - a] = rates[np.argmax(sure >= stay[a])]
        value = np.maximum(sure, stay)
    return table


def rules(pulls: int, rng: np.random.Generator) -> dict[str, Index]:
    """Return the index of each classical rule; an arm with the largest index is pulled."""
    table = gittins(pulls)

    def ucb(scale: float) -> Index:
        def index(wins: np.ndarray, losses: np.ndarray, t: int) -> np.ndarray:
            n = wins + losses
            bonus = scale * np.sqrt(2 * np.log(max(t, 1)) / np.maximum(n, 1))
            return np.where(n == 0, np.inf, wins / np.maximum(n, 1) + bonus)

        return index

    return {
        "random": lambda wins, losses, t: np.zeros(wins.shape),
        "thompson": lambda wins, losses, t: rng.beta(wins + 1, losses + 1),
        "ucb1": ucb(1.0),
        "ucb1, bonus times 0.2": ucb(0.2),
        "gittins": lambda wins, losses, t: table[wins + 1, losses + 1],
    }


def played(index: Index, chances: np.ndarray, pulls: int, rng: np.random.Generator) -> np.ndarray:
    """Return the total reward of a rule on each task; equal arms are drawn from at random."""
    wins, losses, rows = np.zeros(chances.shape, int), np.zeros(chances.shape, int), np.arange(len(chances))
    for t in range(pulls):
        arm = np.lexsort((rng.random(chances.shape), index(wins, losses, t)))[:, -1]
        won = rng.random(len(chances)) < chances[rows, arm]
        wins[rows, arm] += won
        losses[rows, arm] += ~won
    total: np.ndarray = wins.sum(1)
    return total


def summary(total: np.ndarray) -> dict[str, float]:
    return {
        "mean": round(float(total.mean()), 3),
        "ci95": round(1.96 * float(total.std(ddof=1)) / len(total) ** 0.5, 3),
    }


def trained(pulls: int, seed: int, runs: Path) -> Run:
    """Return a finished training."""
    folder = runs / f"rl2-bandits-{pulls}-seed{seed}"
    settings = settings_of(
        {"agent": "rl2", "environment": "bandits", "seed": seed, "outer_lr": OUTER_LR, **SETTINGS[pulls]}
    )
    train(settings, folder, resume=Run(folder).exists())
    return Run(folder)


def learned(run: Run, pulls: int, draws: Draws) -> dict[str, Any]:
    """Return the result of a training on the tasks of ``draws``."""
    with torch.no_grad():
        rngs, bandits = draws.generators("rollout-0"), Bandits(ARMS)
        trial, _ = play_trial(bandits, draws.tasks(bandits), run.agent.net, rngs, pulls)
    lines = list(run.metrics())
    return {
        **summary(trial.returns.sum(1).double().numpy()),
        "last_pull": round(float(trial.returns[:, -1].mean()), 4),
        "settings": run.settings.model_dump(),
        "pulls_in_training": sum(line["steps"] for line in lines),
        "training_seconds": lines[-1]["seconds"],
        "curve": [[line["step"], round(line["trial"], 2)] for line in lines[::10]],
    }


def table(record: dict[str, Any]) -> str:
    """Return the table of docs/rl.md; several seeds are separated by semicolons."""
    names = ["random", "thompson", "ucb1", "ucb1, bonus times 0.2", "gittins"]
    lines = [f"| pulls | {' | '.join(names)} | RL2 | RL2 / thompson | training |", "|---" * (len(names) + 4) + "|"]
    for pulls, result in sorted(record["pulls"].items(), key=lambda item: int(item[0])):
        seeds, shares = list(result["rl2"].values()), result["rl2_of_thompson"].values()
        cells = [f"{result[name]['mean']:.2f}" for name in names]
        cells.append("; ".join(f"{r['mean']:.2f} ± {r['ci95']:.2f}" for r in seeds))
        cells.append("; ".join(f"{share:.3f}" for share in shares))
        minutes = "; ".join(f"{r['training_seconds'] / 60:.0f}" for r in seeds)
        cells.append(f"{seeds[0]['pulls_in_training'] / 1e6:.1f} million pulls, {minutes} min")
        lines.append(f"| {pulls} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pulls", type=int, nargs="+", default=list(SETTINGS), choices=list(SETTINGS))
    parser.add_argument("--seeds", type=int, nargs="*", default=[1])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path, default=Path("results/rl/bandits.json"))
    a = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    record = json.loads(a.json.read_text()) if a.json.exists() else {"pulls": {}}
    for pulls in a.pulls:
        draws = Draws(0, "test", 0, TASKS)
        chances = draws.tasks(Bandits(ARMS)).numpy()
        result: dict[str, Any] = {"published": PUBLISHED[pulls], "best_arm": summary(pulls * chances.max(1))}
        for name, index in rules(pulls, np.random.default_rng(1)).items():
            result[name] = summary(played(index, chances, pulls, np.random.default_rng(2)))
        before = record["pulls"].get(str(pulls), {}).get("rl2", {})
        trainings = {str(seed): trained(pulls, seed, a.runs) for seed in a.seeds}
        result["rl2"] = before | {seed: learned(run, pulls, draws) for seed, run in trainings.items()}
        thompson = result["thompson"]["mean"]
        result["rl2_of_thompson"] = {seed: round(r["mean"] / thompson, 4) for seed, r in result["rl2"].items()}
        record = {
            **record,
            **provenance(),
            "arms": ARMS,
            "tasks": TASKS,
            "pulls": record["pulls"] | {str(pulls): result},
        }
        replace(a.json, (json.dumps(record, indent=1) + "\n").encode())
    print(table(record))


if __name__ == "__main__":
    main()
