"""Section of docs/results.md about sentences."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import ahead, behind, cell_name, listed, prose


def text() -> str:
    means, record = sorted(records("text"), key=lambda record: "model" not in record)
    rows: dict[str, dict[tuple[int, int], str]] = {}
    for r in record["rows"]:
        row = rows.setdefault(r["head"], {})
        row[r["n_way"], r["n_shot"]] = f"{percent(r)}; {100 * r['auroc']:.1f}"
    cells = sorted({each for row in rows.values() for each in row})
    said = prose(
        "Heads on frozen all-MiniLM-L6-v2 embeddings, trained on five domains of CLINC150, tested on three that were",
        f"never seen (work, small talk, meta); {record['rows'][0]['n_tasks']} tasks each, inductive. After the",
        "semicolon: area under the ROC for out-of-scope sentences. Differences task by task are in `results/text`;",
        "beyond their 95 % intervals:",
    )
    said += comparisons(record["rows"]) + "\n"
    columns = ["", *(f"{n}-way {k}-shot" for n, k in cells)]
    heads = table(columns, ([head, *(row[each] for each in cells)] for head, row in rows.items()))
    plain = "\n" + prose(
        "`minilm-means` is what `quickstudy adapt` takes for sentences without a run: the nearest mean of the same",
        "embeddings. It was calibrated on 5-way 5-shot tasks of the validation domains and measured on the test",
        "domains. Coverage: of sets with a nominal coverage of 90 %, by this calibration alone. It is valid for tasks",
        "like those it was measured on, and for no others. Inductive; `benchmarks/minilm_means.py`.",
    )
    lines = (
        [
            cell_name(r),
            percent(r),
            str(r["n_tasks"]),
            f"{100 * r['calibration_error']:.1f}",
            f"{100 * r['coverage_at_0.9']:.1f}",
        ]
        for r in means["rows"]
    )
    return said + heads + plain + table(["", "accuracy", "tasks", "calibration error", "coverage"], lines)


def comparisons(rows: list[dict[str, Any]]) -> str:
    """Return a table: in which tasks a head is clearly ahead of a plain classifier, and in which behind it."""
    heads = [r for r in rows if r["beyond"]]
    cells: dict[str, list[list[str]]] = {}
    sides = [(plain, clear) for plain in heads[0]["beyond"] for clear in (ahead, behind)]
    for r in heads:
        row = cells.setdefault(r["head"], [[] for _ in sides])
        for cell, (plain, clear) in zip(row, sides, strict=True):
            if clear(r["beyond"][plain]):
                cell.append(cell_name(r))
    columns = ["", *(f"{clear.__name__}{' of' * (clear is ahead)} {plain}" for plain, clear in sides)]
    return table(columns, ([head, *map(listed, row)] for head, row in cells.items()))
