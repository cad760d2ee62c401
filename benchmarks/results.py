"""docs/results.md and its plot, from the committed results: python benchmarks/results.py."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PAGE, PLOT = ROOT / "docs" / "results.md", ROOT / "docs" / "results.png"
HEAD = """# Results

Made from the files in [results](../results) by `make results`; each holds command, seed, versions and time.
Accuracy in percent with its 95% interval over test tasks. Inductive: an answer rests on the support and that one query;
transductive: on the statistics of all queries too.
"""


def records(folder: str) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted((ROOT / "results" / folder).glob("*.json"))]


def table(columns: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    columns = list(columns)
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"


def percent(figure: dict[str, Any]) -> str:
    interval = "" if figure["ci95"] is None else f" ± {100 * figure['ci95']:.2f}"
    return f"{100 * figure['mean']:.2f}{interval}"


def minutes(record: dict[str, Any]) -> str:
    return f"{record['training']['seconds'] / 60:.0f} min"


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


def challenges() -> str:
    rows = []
    for r in records("lake"):
        error, interval = (f"{100 * value:.2f}" for value in (r["error"], r["ci95"]))
        how = "transductive" if r["transductive"] else "inductive"
        split = r["training"]["settings"]["split"]
        rows.append([r["algorithm"], split, f"{error} ± {interval}", str(r["n_tasks"]), how, minutes(r)])
    said = (
        "Not the official runs: `benchmarks/lake_trials.py` makes them from the three background alphabets that no\n"
        "step was trained on. They are also the validation classes that chose the checkpoint, so the error is if\n"
        "anything too low; three alphabets are few, and the interval over runs does not count that.\n\n"
    )
    return said + table(["", "trained on", "error", "runs", "", "trained"], rows)


def sinusoids() -> str:
    rows = [
        [
            r["algorithm"],
            str(r["n_shot"]),
            str(r["test_steps"]),
            f"{r['mean']:.3f} ± {r['ci95']:.3f}",
            str(r["n_tasks"]),
        ]
        for r in sorted(records("sinusoid"), key=lambda r: (r["algorithm"], r["n_shot"], r["test_steps"]))
    ]
    return table(["", "points", "steps", "mean squared error", "tasks"], rows)


def page() -> str:
    parts = [HEAD]
    for title, folder, make in (
        ("Beside the papers (`quickstudy reproduce`)", "reproduce", reproductions),
        ("Omniglot, evaluation alphabets", "omniglot", evaluations),
        ("Lake's one-shot challenge, on trials of our own", "lake", challenges),
        ("Sinusoids", "sinusoid", sinusoids),
    ):
        if records(folder):
            parts.append(f"## {title}\n\n{make()}")
    return "\n".join(parts) + "\n![Ours beside the papers'](results.png)\n"


def draw() -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    rows = records("reproduce")
    fig, ax = plt.subplots(figsize=(8, 1.2 + 0.4 * len(rows)), layout="constrained")
    for y, r in enumerate(reversed(rows)):
        for kind, colour, above in (("inductive", "C0", 0.1), ("transductive", "C1", -0.1)):
            ours = r["ours"][kind]
            label = f"ours, {kind}" if y == 0 else None
            ax.errorbar(
                100 * ours["mean"], y + above, xerr=100 * ours["ci95"], fmt="o", color=colour, capsize=3, label=label
            )
        ax.plot(100 * r["paper"]["mean"], y, "kx", label="the paper's" if y == 0 else None)
    ax.set_yticks(range(len(rows)), [r["name"] for r in reversed(rows)])
    ax.set_xlabel("accuracy, %, with 95% intervals")
    ax.grid(alpha=0.3)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    fig.legend(loc="outside upper center", ncols=3)
    fig.savefig(PLOT, dpi=120)


if __name__ == "__main__":
    PAGE.write_text(page())
    draw()
