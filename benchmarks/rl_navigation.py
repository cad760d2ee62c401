"""2D navigation: returns of MAML after 0 to 3 updates, beside fine-tuning, a random policy and an oracle.

python -m benchmarks.rl_navigation --seed 1 --runs /tmp/runs

Trains each agent, or continues an interrupted training, and writes results/rl/navigation-seed1.json. Two protocols of
the test are reported: 20 episodes per update as in training, and 40 as in the program of Finn et al.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

from quickstudy.io.files import replace
from quickstudy.rl.evaluation import evaluate
from quickstudy.rl.run import Run
from quickstudy.rl.settings import settings_of
from quickstudy.rl.training import train
from quickstudy.runs.provenance import provenance
from quickstudy.training.process import keep_memory

PUBLISHED = (-40.41, -11.68, -3.33, -3.23)
MAML = {"std": 0.5, "max_kl": 0.02, "cg_steps": 6}
AGENTS = {
    "maml": (MAML, 200),
    "finetuned": (MAML, 100),
    "random": ({"std": 0.5}, 1),
    "oracle": (MAML, 100),
}
RATES = (0.03, 0.1, 0.3, 0.5, 1.0)
"""Inner rates of the fine-tuned and the random policy; the best on validation tasks is used."""


def run(name: str, seed: int, runs: Path) -> dict[str, object]:
    arguments, steps = AGENTS[name]
    folder = runs / f"{name}-{seed}"
    begun = time.process_time()
    settings = settings_of({"agent": name, "agent_arguments": arguments, "steps": steps, "seed": seed})
    train(settings, folder, resume=Run(folder).exists())
    lines = list(Run(folder).metrics())
    agent, environment = Run(folder).agent, Run(folder).environment
    result: dict[str, object] = {
        "settings": settings.model_dump(),
        "steps_of_the_environment": sum(line["steps"] for line in lines),
        "training_seconds": lines[-1]["seconds"],
        "processor_seconds_of_this_process": round(time.process_time() - begun, 1),
        "curve": [[line["step"], round(line["return"], 2), round(line["adapted"], 2)] for line in lines[::5]],
    }
    if name in ("finetuned", "random"):
        scores = {}
        for rate in RATES:
            agent.inner_lr = rate
            scores[rate] = evaluate(agent, environment, n_tasks=40, seed=seed, split="validation").means
        agent.inner_lr = max(scores, key=lambda rate: scores[rate][-1])
        result |= {"inner_lr": agent.inner_lr, "validation": {str(rate): means for rate, means in scores.items()}}
    for n in (20, 40):
        result[f"test_{n}_episodes"] = evaluate(agent, environment, n_tasks=200, n_episodes=n, seed=seed).summary()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--agents", nargs="+", default=list(AGENTS))
    parser.add_argument("--out", type=Path, default=Path("results/rl"))
    a = parser.parse_args()
    keep_memory()
    torch.set_num_threads(1)
    path = a.out / f"navigation-seed{a.seed}.json"
    before = json.loads(path.read_text()) if path.exists() else {"agents": {}}
    for name in a.agents:
        before["agents"][name] = run(name, a.seed, a.runs)
        record = {"published": PUBLISHED, "seed": a.seed, **provenance(), "agents": before["agents"]}
        replace(path, (json.dumps(record, indent=1) + "\n").encode())
        print(name, before["agents"][name]["test_40_episodes"], flush=True)


if __name__ == "__main__":
    main()
