"""Section of docs/results.md about the outer rates of the leaderboard."""

from __future__ import annotations

import math
from typing import Any

from benchmarks.results.tables import records, table
from benchmarks.results.words import listed, prose

Record = dict[str, Any]


def rates() -> str:
    found = records("rates")
    open_ended = [r["algorithm"] for r in found if not settled(r)]
    others = f" (not tried for {listed(open_ended)})" if open_ended else ""
    said = "### Outer rates\n\n" + prose(
        "Accuracy of 5-way and 20-way 1-shot tasks from the validation alphabets (200 and 100, one seed) after",
        f"{found[0]['minutes']:g} minutes, by outer rate. The rate with the best mean was taken; neither three times",
        f"this rate nor a third of it did better{others}. So short a training may favour larger rates than a long one.",
        repeated(),
    )
    rows = []
    for r in found:
        tries = [f"{t['outer_lr']:g}: {100 * t['5-way']:.1f}, {100 * t['20-way']:.1f}" for t in r["tries"]]
        rows.append([r["algorithm"], "; ".join(tries), f"{taken(r)['outer_lr']:g}"])
    return said + table(["", "outer rate: 5-way, 20-way", "taken"], rows)


def taken(record: Record) -> Record:
    """Return the try with the best mean."""
    best: Record = max(record["tries"], key=lambda t: float(t["mean"]))
    return best


def settled(record: Record) -> bool:
    """Return whether three times the taken rate and a third of it were tried too."""
    rate = taken(record)["outer_lr"]
    return all(any(math.isclose(t["outer_lr"], rate * k, rel_tol=0.01) for t in record["tries"]) for k in (3, 1 / 3))


def repeated() -> str:
    """Return how far two searches for the same learner lie apart at the same rate."""
    again = {r["algorithm"]: r for r in records("rates/earlier")}
    sentences = []
    for r in records("rates"):
        if before := again.get(r["algorithm"]):
            means = {t["outer_lr"]: t["mean"] for t in before["tries"]}
            apart = max(abs(t["mean"] - means[t["outer_lr"]]) for t in r["tries"] if t["outer_lr"] in means)
            steps = listed(f"{s:,}" for s in sorted(each["settings"]["steps"] for each in (before, r)))
            sentences.append(
                f"Two searches for {r['algorithm']}, of {steps} steps, came to means up to {100 * apart:.1f} points "
                "apart at one rate, so smaller differences show little."
            )
    return " ".join(sentences)
