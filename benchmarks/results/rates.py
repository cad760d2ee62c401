"""Section of docs/results.md about the outer rates of the leaderboard."""

from __future__ import annotations

from benchmarks.results.tables import records, table


def rates() -> str:
    said = (
        "### Outer rates\n\n"
        "Accuracy of 5-way and 20-way 1-shot tasks from the validation alphabets (200 and 100, one seed) after three\n"
        "minutes, by outer rate. The rate with the best mean was taken; neither three times this rate nor a third of\n"
        "it did better. So short a training may favour larger rates than a long one. Two tries of Relation Networks\n"
        "at one rate, 1,311 and 1,337 steps, came to means 1.4 points apart, so smaller differences show little.\n\n"
    )
    rows = []
    for r in records("rates"):
        tries = [f"{t['outer_lr']:g}: {100 * t['5-way']:.1f}, {100 * t['20-way']:.1f}" for t in r["tries"]]
        taken = max(r["tries"], key=lambda t: float(t["mean"]))
        rows.append([r["algorithm"], "; ".join(tries), f"{taken['outer_lr']:g}"])
    return said + table(["", "outer rate: 5-way, 20-way", "taken"], rows)
