"""Section of docs/results.md about transductive learners."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import bullets, prose

Row = dict[str, Any]


def transductive() -> str:
    """Return the table of the committed record, and sentences whose figures are taken from it."""
    record = records("transductive")[0]
    rows: list[Row] = record["rows"]
    cells = list(dict.fromkeys((r["data"], r["n_shot"]) for r in rows))
    of = {(r["data"], r["n_shot"], r["head"]): r for r in rows}
    together = {r["head"] for r in rows if r["transductive"]}
    heads = list(dict.fromkeys(r["head"] for r in rows))
    columns = [f"{data}, {k}-shot: {kind}" for data, k in cells for kind in ("balanced", "unbalanced")]
    lines = [
        [
            head if head in together else f"{head} (inductive)",
            *(percent(of[*cell, head][kind]) for cell in cells for kind in ("balanced", "unbalanced")),
        ]
        for head in heads
    ]
    queries = ", ".join(f"{n} on {name}" for name, n in record["n_query"].items())
    how = prose(
        f"Heads on features of length 1 by frozen nets, {record['n_way']}-way, the same {record['n_tasks']} tasks.",
        f"Queries per class: {queries}. Unbalanced: the classes' shares come from a Dirichlet distribution with",
        f"parameter {record['dirichlet']:g} (Veilleux et al. 2021). Omniglot's evaluation characters are embedded by",
        "the net of `glyphs-proto`, which never saw Omniglot. The test classes of CIFAR-FS and 40 categories of",
        "Caltech-101 are embedded by EfficientNet-Lite0, which knows many of them from ImageNet.",
        "`benchmarks/transductive.py`.",
    )
    return f"{how}{table(['', *columns], lines)}\n{losses(rows)}"


def losses(rows: list[Row]) -> str:
    """Return a sentence per transductive head: what it gains where queries are balanced, and where they are not."""
    plain = {(r["data"], r["n_shot"]): r for r in rows if r["head"] == "Prototypical"}
    lines = []
    for head in dict.fromkeys(r["head"] for r in rows if r["transductive"]):
        of = [r for r in rows if r["head"] == head]
        gains = {
            kind: [100 * (r[kind]["mean"] - plain[r["data"], r["n_shot"]][kind]["mean"]) for r in of]
            for kind in ("balanced", "unbalanced")
        }
        spans = {kind: f"{min(each):+.1f} to {max(each):+.1f}" for kind, each in gains.items()}
        lines.append(
            f"{head}: {spans['balanced']} points beside Prototypical where queries are balanced, "
            f"{spans['unbalanced']} where they are not."
        )
    return bullets(lines)
