"""The demo's part on environments: learn to walk to goals that nobody shows, by rewards alone."""

from __future__ import annotations

import base64
import math
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import quickstudy as qs

ARGUMENTS: dict[str, Any] = {"std": 0.5, "max_kl": 0.02, "cg_steps": 6}
SETTINGS = {"environment": "navigation", "agent": "maml", "agent_arguments": ARGUMENTS}
STEPS, TASKS, UPDATES = 20, 40, 3


@dataclass(frozen=True)
class Walks:
    """Returns on new goals after 0 to 3 updates, of the trained policy and of one that was never trained."""

    trained: qs.rl.Returns
    untrained: qs.rl.Returns
    steps: int
    seconds: float
    picture: bytes

    def summary(self) -> dict[str, Any]:
        """Everything but the picture, for programs."""
        return {
            "environment": SETTINGS["environment"],
            "steps": self.steps,
            "training_seconds": self.seconds,
            "trained": self.trained.summary(),
            "untrained": self.untrained.summary(),
        }

    def paid(self) -> bool:
        """Whether one update leads further than without training before, beyond both intervals."""
        lower = self.trained.means[1] - self.trained.ci95[1]
        return lower > self.untrained.means[1] + self.untrained.ci95[1]

    def section(self) -> str:
        """Return the section of the page."""
        rows = "".join(
            f"<tr><td>{name}</td>"
            + "".join(f"<td>{mean:.1f} ± {ci:.1f}</td>" for mean, ci in zip(r.means, r.ci95, strict=True))
            + "</tr>"
            for name, r in (("MAML", self.trained), ("No training before", self.untrained))
        )
        head = "".join(f"<th>{t} update{'s' * (t != 1)}</th>" for t in range(UPDATES + 1))
        uri = "data:image/png;base64," + base64.b64encode(self.picture).decode()
        return (
            "<h2>Learn to act</h2><p>A point walks in the plane. Each task has a goal (the star) that the policy does "
            "not see: only the reward, minus the distance, shows where it is. The inner loop plays 20 episodes and "
            "takes one step along the policy gradient. The outer loop finds the policy from which that step leads "
            f"furthest: {self.steps} outer steps, {self.seconds:.0f} s. Mean return over {self.trained.n_tasks} new "
            "goals with its 95% interval; 0 is best. “No training before” starts from random weights, at the same "
            "inner rate.</p>"
            f"<table><tr><th></th>{head}</tr>{rows}</table>"
            f'<div class="plots"><img alt="Paths before and after each update" src="{uri}"></div>'
        )


def walk(folder: Path, scale: float) -> Walks:
    """Train MAML on navigation in a folder, which is replaced, and test it on new goals."""
    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    steps = math.ceil(STEPS * scale)
    run = qs.rl.Run(qs.rl.train({**SETTINGS, "steps": steps}, folder))
    seconds = time.perf_counter() - start
    agents = run.agent, qs.rl.MAML(run.environment, **ARGUMENTS)
    n_tasks = max(2, math.ceil(TASKS * scale))
    trained, untrained = (qs.rl.evaluate(a, run.environment, n_tasks=n_tasks, updates=UPDATES) for a in agents)
    picture, _ = qs.rl.watch(run, folder / "paths.png", n_tasks=2, updates=UPDATES)
    return Walks(trained, untrained, steps, seconds, picture.read_bytes())
