"""Tabular MDPs of 10 states, 5 actions and 10 steps: RL2 and MAML beside one policy that is fine-tuned.

python -m benchmarks.rl_mdps --episodes 10 --seed 1 --runs /tmp/runs

Trains each agent, or continues an interrupted training, and writes results/rl/mdps.json: the mean return of an episode
among the first N on a new task, and of one after N episodes. RL2 continues in the same trial; the others take one step
along the policy gradient on the first N. Duan et al. 2016, section 3.2, report sums over the first N in a figure alone.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import torch

from quickstudy.io.files import replace
from quickstudy.rl.evaluation import evaluate
from quickstudy.rl.run import Run
from quickstudy.rl.settings import settings_of
from quickstudy.rl.training import train
from quickstudy.runs.provenance import provenance
from quickstudy.training.process import keep_memory

TASKS = 500
GRADIENT = {"hidden": [32], "max_kl": 0.02, "cg_steps": 6}
RATES = (3.0, 10.0, 30.0, 100.0, 300.0)
"""Inner rates of the fine-tuned and the random policy; the best on validation tasks is used."""


def settings(agent: str, episodes: int) -> dict[str, Any]:
    """Return the settings of one training, without its seed."""
    if agent == "rl2":
        own = {"episodes": 2 * episodes, "grow_steps": 30, "hidden": 128, "gae_lambda": 0.9, "entropy_weight": 0.005}
        steps, rate = 300 if episodes > 10 else 150, {"outer_lr": 4e-3, "schedule": "linear"}
        return {"agent_arguments": own, "steps": steps, "tasks_per_step": 5000 // episodes, **rate}
    own = {**GRADIENT, "n_episodes": episodes}
    return {
        "agent_arguments": own | ({"inner_lr": 10.0} if agent == "maml" else {}),
        "steps": 1 if agent == "random" else 100,
        "tasks_per_step": 40,
    }


def run(agent: str, episodes: int, seed: int, runs: Path) -> dict[str, Any]:
    folder = runs / f"{agent}-mdps-{episodes}-seed{seed}"
    s = settings_of({"agent": agent, "environment": "mdps", "seed": seed, **settings(agent, episodes)})
    train(s, folder, resume=Run(folder).exists())
    trained, lines = Run(folder), list(Run(folder).metrics())
    result: dict[str, Any] = {
        "settings": s.model_dump(),
        "steps_of_the_environment": sum(line["steps"] for line in lines),
        "training_seconds": lines[-1]["seconds"],
        "curve": [[line["step"], round(line["return"], 2), round(line["adapted"], 2)] for line in lines[::10]],
    }
    model: Any = trained.agent
    protocol: dict[str, Any] = {"updates": 1, "n_episodes": episodes, "seed": seed}
    if agent in ("finetuned", "random"):
        scores = {}
        for rate in RATES:
            model.inner_lr = rate
            scores[rate] = evaluate(model, trained.environment, n_tasks=100, split="validation", **protocol).means[-1]
        model.inner_lr = max(scores, key=lambda rate: scores[rate])
        result |= {"inner_lr": model.inner_lr, "validation": {str(rate): score for rate, score in scores.items()}}
    result["test"] = evaluate(model, trained.environment, n_tasks=TASKS, **protocol).summary()
    return result


def table(record: dict[str, Any]) -> str:
    """Return the table of docs/rl.md; several seeds are separated by semicolons."""
    lines = ["| N | agent | among the first N episodes | after N episodes |", "|---|---|---|---|"]
    for n, agents in record["episodes"].items():
        for agent, seeds in agents.items():
            tests = [each["test"] for each in seeds.values()]
            cells = ("; ".join(f"{t['means'][k]:.2f} ± {t['ci95'][k]:.2f}" for t in tests) for k in (0, 1))
            arguments = next(iter(seeds.values()))["settings"]["agent_arguments"]
            name = f"`{agent}`" + (f", trained in trials of {arguments['episodes']}" if agent == "rl2" else "")
            lines.append(f"| {n} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--episodes", type=int, nargs="+", default=[10, 25])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--agents", nargs="+", default=["random", "finetuned", "maml", "rl2"])
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--json", type=Path, default=Path("results/rl/mdps.json"))
    a = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    record = json.loads(a.json.read_text()) if a.json.exists() else {"episodes": {}}
    for episodes in a.episodes:
        for agent in a.agents:
            result = run(agent, episodes, a.seed, a.runs)
            here = record["episodes"].setdefault(str(episodes), {}).setdefault(agent, {})
            here[str(a.seed)] = result
            record = {**provenance(), "episodes": record["episodes"]}
            replace(a.json, (json.dumps(record, indent=1) + "\n").encode())
    print(table(record))


if __name__ == "__main__":
    main()
