"""Section of docs/results.md about classes and kinds of images that were never seen."""

from __future__ import annotations

from typing import Any

from benchmarks.results.leaderboard import cell, leaders
from benchmarks.results.tables import percent, table


def generalisation() -> str:
    found = [r for trained_on in ("omniglot", "glyphs", "digits") for r in leaders("generalisation", trained_on)]
    how = f"{found[0]['minutes']:g} minutes of its reference core; inductive, {cell(found[0], 5, 1)['n_tasks']} tasks"
    said = (
        "5-way accuracy on classes and kinds of images that were never seen, by the leaderboard's recipes. The outer\n"
        "rates are older than those above (they are in the records). Each learner was trained for\n"
        f"{how}, one seed. Of digits, 0 to 4 and their rotations are\n"
        "trained on, and then only 5 to 9 tested; else all ten are. So few classes are memorised: the pairs' loss of\n"
        "Siamese falls below 0.001 and its answers on the other digits to chance.\n\n"
    )
    return f"{said}{elsewhere(found)}\nAfter the leaderboard's whole budget:\n\n{elsewhere(leaders())}"


def elsewhere(found: list[dict[str, Any]]) -> str:
    rows = []
    for r in found:
        tested = {(r["trained_on"], k): cell(r, 5, k) for k in (1, 5)}
        tested |= {(c["data"], c["n_shot"]): c for c in r["elsewhere"]}
        figures = [percent(tested[data, k]) for data in ("omniglot", "glyphs", "digits") for k in (1, 5)]
        rows.append([r["algorithm"], r["trained_on"], *figures])
    names = [f"{data}, {k}-shot" for data in ("Omniglot", "glyphs", "digits") for k in (1, 5)]
    return table(["", "trained on", *names], rows)
