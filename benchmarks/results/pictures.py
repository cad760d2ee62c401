"""Sections of docs/results.md about any picture: drawing or photograph, drawings on any page, copies."""

from __future__ import annotations

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import prose


def looks() -> str:
    record = records("looks")[0]
    rows = [
        [
            {"graphics": "cartoons and printed signs, as photographs"}.get(kind, kind),
            str(record[kind]["images"]),
            f"{record[kind]['wrong, %']:.2f} %",
            f"{record[kind]['folders wrong']} of {record[kind]['folders']}" if record[kind]["folders"] else "",
        ]
        for kind in ("photographs", "drawings", "graphics")
    ]
    said = prose(
        "Errors of the rule that decides whether pictures are drawings or photographs, on classes on which it was not",
        "fitted, with each disturbance. Its form was chosen with errors on these classes in view, so a new set may",
        f"have more. Folders: {record['n_way']} classes of {record['n_shot']} pictures; the majority decides.",
        "`benchmarks/looks.py`.",
    )
    return said + table(["", "pictures", "wrong", "folders wrong"], rows)


def disturbances() -> str:
    record = records("disturbances")[0]
    rows = []
    for name, after in record["disturbances"].items():
        cells = [
            [percent(r["accuracy"]), f"{r['confidence']:.2f}", f"{100 * r['warned']:.0f} %"]
            for r in (after["before"], after)
        ]
        rows.append([name, *cells[0][:2], *cells[1]])
    said = prose(
        f"New drawings of {record['n_way']}-way {record['n_shot']}-shot tasks of Omniglot's evaluation characters,",
        f"disturbed; the examples are clean. `glyphs-proto`, {record['n_tasks']} tasks, {record['queries']} drawings,",
        "inductive. Before: encoded as they are. After: cut out of their surroundings, as `predict` does. Warned:",
        "share of drawings that a warning names as doubtful. `benchmarks/disturbances`.",
    )
    columns = ["", "before", "confidence", "after", "confidence", "warned"]
    return said + table(columns, rows)


def copies() -> str:
    record = records("copies")[0]
    rows = []
    for kind in ("photographs", "drawings"):
        r = record[kind]["measured on"]
        rows.append(
            [
                kind,
                f"{r['copies_found']} of {r['pictures']}",
                f"{r['mirrored_copies_found']} of {r['pictures']}",
                f"{len(r['pairs_of_originals_found'])} of {r['pictures'] * (r['pictures'] - 1) // 2:,}",
                f"{record[kind]['within']}",
            ]
        )
    said = prose(
        f"Copies that `check` finds. A copy has {record['copy']}. The largest distance that counts was chosen on every",
        "second category; these are the others. Pairs of originals are named in [the",
        "record](../results/copies/copies.json). Mirrored copies are not searched. `benchmarks/copies.py`.",
    )
    return said + table(["", "copies found", "mirrored", "pairs of originals", "largest distance"], rows)
