"""Section of docs/results.md about transductive learners."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import bullets, prose
from benchmarks.transductive import HEADS, QUERIES, SHOTS

Row = dict[str, Any]


def transductive() -> str:
    """Return the table of the committed records, and sentences whose figures are taken from them."""
    all_records = records("transductive")
    rows: list[Row] = [row for record in all_records for row in record["rows"]]
    rows.sort(key=lambda r: ([*QUERIES].index(r["data"]), [*HEADS].index(r["head"])))
    of = {(r["data"], r["n_shot"], r["head"]): r for r in rows}
    together = {r["head"] for r in rows if r["transductive"]}
    cells = [(data, k) for data in QUERIES for k in SHOTS]
    columns = [f"{data}, {k}-shot: {kind}" for data, k in cells for kind in ("balanced", "unbalanced")]
    lines = [
        [
            head if head in together else f"{head} (inductive)",
            *(percent(of[*cell, head][kind]) for cell in cells for kind in ("balanced", "unbalanced")),
        ]
        for head in HEADS
    ]
    record = all_records[0]
    queries = ", ".join(f"{n} on {name}" for name, n in record["n_query"].items())
    how = prose(
        f"Heads on features of length 1 by frozen nets, {record['n_way']}-way, the same {tasks(rows)}.",
        f"Queries per class: {queries}. Unbalanced: the classes' shares come from a Dirichlet distribution with",
        f"parameter {record['dirichlet']:g} (Veilleux et al. 2021). Omniglot's evaluation characters are embedded by",
        "the net of `glyphs-proto`, which never saw Omniglot. The test classes of CIFAR-FS and 40 categories of",
        "Caltech-101 are embedded by EfficientNet-Lite0, which knows many of them from ImageNet.",
        "`benchmarks/transductive.py`.",
    )
    return f"{how}{table(['', *columns], lines)}\n{losses(rows)}"


def tasks(rows: list[Row]) -> str:
    """Return the number of tasks, and where it was smaller.

    >>> tasks([{"head": head, "data": "digits", "n_tasks": n} for head, n in (("TIM", 100), ("PT-MAP", 600))])
    '600 tasks. On digits the first 100 for TIM'
    """
    usual = {r["data"]: max(other["n_tasks"] for other in rows if other["data"] == r["data"]) for r in rows}
    most = max(usual.values())
    fewer = [f"On {data} the first {n}" for data, n in usual.items() if n < most]
    few = [r for r in rows if r["n_tasks"] < usual[r["data"]]]
    fewer += dict.fromkeys(f"On {r['data']} the first {r['n_tasks']} for {plainly(r['head'])}" for r in few)
    return ". ".join([f"{most} tasks", *fewer])


def plainly(head: str) -> str:
    """Return the name of a head within a sentence."""
    return head.replace(",", "")


def losses(rows: list[Row]) -> str:
    """Return a sentence per transductive head: what it gains where queries are balanced, and where they are not.

    Cells count where the head and Prototypical had the same tasks.
    """
    plain = {(r["data"], r["n_shot"], r["n_tasks"]): r for r in rows if r["head"] == "Prototypical"}
    all_data, lines = list(dict.fromkeys(data for data, *_ in plain)), []
    for head in dict.fromkeys(r["head"] for r in rows if r["transductive"]):
        of = [r for r in rows if r["head"] == head and (r["data"], r["n_shot"], r["n_tasks"]) in plain]
        gains = {
            kind: [100 * (r[kind]["mean"] - plain[r["data"], r["n_shot"], r["n_tasks"]][kind]["mean"]) for r in of]
            for kind in ("balanced", "unbalanced")
        }
        spans = {kind: f"{min(each):+.1f} to {max(each):+.1f}" for kind, each in gains.items()}
        compared = list(dict.fromkeys(r["data"] for r in of))
        where = "" if compared == all_data else f" (on {' and '.join(compared)}, where both had the same tasks)"
        lines.append(
            f"{plainly(head)}: {spans['balanced']} points beside Prototypical where queries are balanced, "
            f"{spans['unbalanced']} where they are not{where}."
        )
    return bullets(lines)
