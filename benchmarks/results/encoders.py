"""Section of docs/results.md about encoders of images and heads on their features."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import prose

Record = dict[str, Any]


def by_validation(rows: list[Record], split: str = "test") -> list[tuple[Record, str]]:
    """Return the row of each set, encoder and number of shots, and the head that is best on validation classes."""
    chosen = {
        (r["images"], r["encoder"], r["n_shot"]): max(r["heads"], key=lambda head: r["heads"][head]["mean"])
        for r in rows
        if r["split"] == "validation"
    }
    return [(r, chosen[r["images"], r["encoder"], r["n_shot"]]) for r in rows if r["split"] == split]


def encoders_and_heads() -> str:
    record = records("matrix")[0]
    plain = [name for name in record["rows"][-1]["heads"] if "copies" not in name]
    rows = [
        [
            r["images"],
            r["encoder"],
            str(r["n_shot"]),
            *(percent(r["heads"][h]) if h in r["heads"] else "" for h in plain),
            f"{head}: {percent(r['heads'][head])}",
        ]
        for r, head in by_validation(record["rows"])
    ]
    columns = ["images", "encoder", "shots", *plain, "chosen by validation"]
    return f"{_said(record)}{table(columns, rows)}\n{_picks(record)}"


def _said(record: Record) -> str:
    return prose(
        f"Frozen encoders, and heads on their features of length 1: {record['n_way']}-way, {record['n_tasks']} tasks",
        f"of {record['n_query']} queries per class, test classes, inductive. The last column is the best head on",
        "validation classes, among those shown and some that learn from copies of each example too. Its copies are",
        f"{record['copies']} parts of it, mirrored or not. `benchmarks/matrix.py`.",
    )


def _picks(record: Record) -> str:
    """Say which encoder to pick for which images, by validation classes."""
    best: dict[str, tuple[float, str]] = {}
    for r, head in by_validation(record["rows"], "validation"):
        if r["n_shot"] == 5:
            mean = r["heads"][head]["mean"]
            best[r["images"]] = max(best.get(r["images"], (0, "")), (mean, r["encoder"]))
    picks = "; ".join(f"for {images}, {encoder}" for images, (_, encoder) in best.items())
    figure = f"![Encoders on {len(best)} sets of images](encoders.png)"
    return f"What to pick, by five shots of validation classes: {picks}.\n\n{figure}\n"
