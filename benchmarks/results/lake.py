"""Sections of docs/results.md about Lake's one-shot challenge."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import minutes, records, table
from benchmarks.results.words import listed, prose


def official() -> str:
    rows = []
    for r in records("lake-official"):
        trained = {"omniglot": "background alphabets"}.get(r["training"]["settings"]["data"], "glyphs alone (shipped)")
        rows.append([trained, _views(r), f"{100 * r['error']:.2f} ± {100 * r['ci95']:.2f}", str(r["n_tasks"])])
    said = prose(
        f"Lake et al.'s own {rows[0][-1]} runs, scored once with the recipe below that is trained on the background",
        "alphabets; inductive, one seed. People err in 4.5 %, Bayesian Program Learning in 3.3 %, a convolutional net",
        "in 13.5 % (Lake et al. 2015, 2019, arXiv:1902.03477).",
    )
    return said + table(["trained on", "views", "error, %", "runs"], sorted(rows, key=lambda row: row[2]))


def challenges() -> str:
    rows = []
    for r in records("lake"):
        error, interval = (f"{100 * value:.2f}" for value in (r["error"], r["ci95"]))
        how = "transductive, each character once" if r["one_to_one"] else "inductive"
        s = r["training"]["settings"]
        net = f"{s['net']}, from {s['init']}" if s["init"] else s["net"]
        training = r["algorithm"], s["split"], net, f"{s['steps']:,}"
        rows.append([*training, _views(r), how, f"{error} ± {interval}", str(r["n_tasks"]), minutes(r)])
    all_runs = max(r["n_tasks"] for r in records("lake"))
    settings = [r["training"]["settings"] for r in records("lake") + records("lake-official")]
    glyphs = {s["glyph_classes"] for s in settings if str(s["split"]).startswith("small")}
    said = (
        prose(
            f"These are not the official runs. `benchmarks/lake_trials.py` makes {all_runs} runs from background",
            "alphabets that no step was trained on; each run is drawn from one alphabet. For the background split,",
            "they are its validation alphabets, which also chose the checkpoint. For the minimal sets, they are all",
            "others that have 20 characters, by which no checkpoint was chosen. The interval is over runs, and does",
            "not count that alphabets are few.",
        )
        + prose(
            "In the official runs people err in 4.5 %, one test at a time, as the inductive rows do. Prototypical",
            "Networks err in 13.7 % trained on the background and 30.1 % on a minimal set (Lake et al. 2019,",
            "arXiv:1902.03477).",
        )
        + prose(
            "All were trained on warped drawings with turned characters as further classes. The cosine baseline came",
            f"first, on plain batches, which hold {listed(f'{n:,}' for n in sorted(glyphs))} glyphs too for the",
            "minimal sets. From its net, Prototypical Networks were trained on tasks within alphabets, and some of",
            "these again. The columns steps and trained are of the last training. Views: distorted copies of each",
            "drawing, averaged. Best pair: the nearest pair of a test drawing's view and a training drawing's, in",
            "place of the average. It was chosen on runs of the evaluation alphabets, from which no run here is drawn.",
            "Turned: the mean answer to the task seen from four sides. Each character once: the best one-to-one",
            "answers of a run, for which one must know that no character is asked twice.",
        )
    )
    return said + table(["", "trained on", "net", "steps", "views", "", "error", "runs", "trained"], rows)


def _views(r: dict[str, Any]) -> str:
    """Return how a drawing was looked at.

    >>> _views({"views": 16, "aligned": True, "turned": False})
    '16, best pair'
    """
    marks = {"best pair": r.get("aligned"), "turned": r["turned"]}  # older records have no "aligned"
    return ", ".join([str(r["views"] or 1), *(mark for mark, holds in marks.items() if holds)])
