"""Section of docs/results.md about sentences."""

from __future__ import annotations

from benchmarks.results.tables import percent, records, table


def text() -> str:
    means, record = sorted(records("text"), key=lambda record: "model" not in record)
    rows: dict[str, dict[tuple[int, int], str]] = {}
    for r in record["rows"]:
        row = rows.setdefault(r["head"], {})
        row[r["n_way"], r["n_shot"]] = f"{percent(r)}; {100 * r['auroc']:.1f}"
    cells = sorted({each for row in rows.values() for each in row})
    said = (
        "Heads on frozen all-MiniLM-L6-v2 embeddings, trained on five domains of CLINC150, tested on three that were\n"
        "never seen (work, small talk, meta); 600 tasks each, inductive. After the semicolon: area under the ROC for\n"
        "out-of-scope sentences. Differences task by task are in `results/text`. The Prototypical head beats the mean\n"
        "of embeddings in all but 5-way 5-shot, and logistic regression only in 15-way 1-shot. With five examples\n"
        "logistic regression is as good as any head or better.\n\n"
    )
    columns = ["", *(f"{n}-way {k}-shot" for n, k in cells)]
    heads = table(columns, ([head, *(row[each] for each in cells)] for head, row in rows.items()))
    plain = (
        "\n`minilm-means` is what `quickstudy adapt` takes for sentences without a run: the nearest mean of the same\n"
        "embeddings. It was calibrated on 5-way 5-shot tasks of the validation domains and measured on the test\n"
        "domains. Coverage: of sets with a nominal coverage of 90 %, by this calibration alone. It is valid for tasks\n"
        "like those it was measured on, and for no others. Inductive; `benchmarks/minilm_means.py`.\n\n"
    )
    lines = (
        [
            f"{r['n_way']}-way {r['n_shot']}-shot",
            percent(r),
            str(r["n_tasks"]),
            f"{100 * r['calibration_error']:.1f}",
            f"{100 * r['coverage_at_0.9']:.1f}",
        ]
        for r in means["rows"]
    )
    return said + heads + plain + table(["", "accuracy", "tasks", "calibration error", "coverage"], lines)
