"""Sections of docs/results.md about Lake's one-shot challenge."""

from __future__ import annotations

from benchmarks.results.tables import minutes, records, table


def official() -> str:
    rows = []
    for r in records("lake-official"):
        trained = {"omniglot": "background alphabets"}.get(r["training"]["settings"]["data"], "glyphs alone (shipped)")
        views = f"{r['views'] or 1}{', turned' if r['turned'] else ''}"
        rows.append([trained, views, f"{100 * r['error']:.2f} ± {100 * r['ci95']:.2f}", str(r["n_tasks"])])
    said = (
        "Lake et al.'s own 20 runs, scored once with the recipe below that is trained on the background alphabets;\n"
        "inductive, one seed. People err in 4.5 %, Bayesian Program Learning in 3.3 %, a convolutional net in 13.5 %\n"
        "(Lake et al. 2015, 2019, arXiv:1902.03477).\n\n"
    )
    return said + table(["trained on", "views", "error, %", "runs"], sorted(rows, key=lambda row: row[2]))


def challenges() -> str:
    rows = []
    for r in records("lake"):
        error, interval = (f"{100 * value:.2f}" for value in (r["error"], r["ci95"]))
        how = "transductive, each character once" if r["one_to_one"] else "inductive"
        s = r["training"]["settings"]
        net = f"{s['net']}, from {s['init']}" if s["init"] else s["net"]
        views = f"{r['views'] or 1}{', turned' if r['turned'] else ''}"
        cells = s["split"], net, views, how, f"{error} ± {interval}", str(r["n_tasks"]), minutes(r)
        rows.append([r["algorithm"], *cells])
    said = (
        "These are not the official runs. `benchmarks/lake_trials.py` makes 600 runs from background alphabets that\n"
        "no step was trained on; each run is drawn from one alphabet. For the background split, they are its three\n"
        "validation alphabets, which also chose the checkpoint. For the minimal sets, they are all others that have\n"
        "20 characters, by which no checkpoint was chosen. Rows of 300 are of the first half of them. The interval is\n"
        "over runs, and does not count that alphabets are few.\n\n"
        "In the official runs people err in 4.5 %, one test at a time, as the inductive rows do. Prototypical\n"
        "Networks err in 13.7 % trained on the background and 30.1 % on a minimal set (Lake et al. 2019,\n"
        "arXiv:1902.03477).\n\n"
        "All were trained on warped drawings with turned characters as further classes. The cosine baseline came\n"
        "first, on plain batches, which hold 2,000 glyphs too for the minimal sets. From its net, Prototypical\n"
        "Networks were trained on tasks within alphabets, on the background twice, for 1,500 and 2,400 steps. The\n"
        "column trained has the time of the last training. Views: distorted copies of each drawing, averaged; turned:\n"
        "the mean answer to the task seen from four sides. Each character once: the best one-to-one answers of a run,\n"
        "for which one must know that no character is asked twice.\n\n"
    )
    return said + table(["", "trained on", "net", "views", "", "error", "runs", "trained"], rows)
