"""Sections of docs/results.md about Omniglot: beside the papers, and its evaluation alphabets."""

from __future__ import annotations

from benchmarks.results.tables import minutes, percent, records, table


def reproductions() -> str:
    rows = []
    for r in records("reproduce"):
        paper = [percent(r["paper"]) if r["paper"]["transductive"] == kind else "" for kind in (False, True)]
        ours = [percent(r["ours"][kind]) for kind in ("inductive", "transductive")]
        tasks = str(r["ours"]["inductive"]["n_tasks"])
        how = "; ".join(sorted(r["shortened"])) or "nothing shortened"
        rows.append([f"`{r['name']}`", ours[0], paper[0], ours[1], paper[1], tasks, r["split"], minutes(r), how])
    columns = ["", "inductive", "paper", "transductive", "paper", "tasks", "split", "trained", "how"]
    return table(columns, rows)


def evaluations() -> str:
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for r in records("omniglot"):
        settings = r["training"]["settings"]
        first = " (first order)" if settings["first_order"] else ""
        kind = ", transductive" if r["transductive"] else ""
        row = cells.setdefault((f"{r['algorithm']}{first}", minutes(r), r["split"]), {})
        row[f"{r['n_way']}-way {r['n_shot']}-shot{kind}"] = f"{percent(r)} ({r['n_tasks']})"
    columns = sorted({name for row in cells.values() for name in row})
    rows = [[*key, *(row.get(name, "") for name in columns)] for key, row in sorted(cells.items())]
    return table(["", "trained", "split", *columns], rows)
