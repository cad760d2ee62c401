"""Section of docs/results.md about environments."""

from __future__ import annotations

import math
import statistics
from typing import Any

from benchmarks.results.tables import records, table
from benchmarks.results.words import bullets, prose

Record = dict[str, Any]


def environments() -> str:
    """Return the returns of navigation for each agent and seed, and its speed."""
    found = records("rl")
    seeds = [r for r in found if "agents" in r]
    [speed] = [r for r in found if "times_faster" in r]
    rows = [
        [name, str(r["seed"]), *map(_return, *_of(agent)), f"{agent['training_seconds'] / 60:.0f}"]
        for name in seeds[0]["agents"]
        for r in seeds
        if (agent := r["agents"].get(name))
    ]
    published = [f"{value:.2f}" for value in seeds[0]["published"]]
    lines = [["MAML, Finn et al. 2017", "", *published, ""], *rows]
    test = seeds[0]["agents"]["maml"]["test_40_episodes"]
    said = prose(
        "2D navigation to a goal that the agent does not see: return of an episode after 0 to 3 updates, on",
        f"{test['n_tasks']} new tasks. The reward and the {test['n_episodes']} episodes per update are those of the",
        "authors' program (Finn et al. 2017). The inner rate falls by a constant factor from update to update; their",
        "program halves it once. Rates of the fine-tuned and the random policy were chosen by validation tasks. The",
        "oracle sees the goal. `benchmarks/rl_navigation.py`.",
    )
    columns = ["", "seed", "before", "1 update", "2 updates", "3 updates", "minutes of training"]
    times, tasks = speed["times_faster"], speed["tasks"]
    seconds = speed["processor_seconds"]["meta_step"]
    whole = seconds["plain"] / seconds["quickstudy, whole curvature"]
    fast = "\n" + prose(
        f"Beside a plain loop that gives the same numbers, {tasks} tasks on one core: {times['rollout']:.0f} times as",
        f"many episodes a second ({speed['episodes_per_second']['quickstudy']:,}), and a meta-step",
        f"{times['meta_step']:.0f} times as fast. That step estimates the curvature from a fifth of the episodes. From",
        f"all of them, it is {whole:.0f} times as fast. `benchmarks/rl_speed.py`.",
    ).removesuffix("\n")
    return said + table(columns, lines) + _compared(seeds) + fast


def _of(agent: Record) -> tuple[list[float], list[float]]:
    test = agent["test_40_episodes"]
    return test["means"], test["ci95"]


def _return(mean: float, ci95: float) -> str:
    return f"{mean:.2f} ± {ci95:.2f}"


def _compared(seeds: list[Record]) -> str:
    """Return a sentence for each number of updates: the mean over seeds of MAML and of fine-tuning."""
    parts = []
    for t in (1, 2, 3):
        (maml, one), (tuned, other) = (_mean_and_error(seeds, name, t) for name in ("maml", "finetuned"))
        clear = abs(maml - tuned) > 2 * math.hypot(one, other)
        words = ("above" if maml > tuned else "below") if clear else "as high as"
        parts.append(f"after {t} update{'s' * (t > 1)}: MAML {maml:.2f}, {words} fine-tuning at {tuned:.2f}")
    title = f"Mean return (seeds: {len(seeds)}), compared beyond two standard errors:"
    return f"\n{title}\n\n{bullets(parts)}"


def _mean_and_error(seeds: list[Record], name: str, t: int) -> tuple[float, float]:
    """Return the mean return after t updates, and its standard error: over seeds, or over the tasks of a single one."""
    found = [_of(r["agents"][name]) for r in seeds if name in r["agents"]]
    means = [mean[t] for mean, _ in found]
    if len(means) == 1:
        return means[0], found[0][1][t] / 1.96
    return statistics.mean(means), statistics.stdev(means) / math.sqrt(len(means))
