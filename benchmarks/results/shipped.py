"""Sections of docs/results.md about the weights that come with the package."""

from __future__ import annotations

from typing import Any

from benchmarks.results.tables import over_seeds, percent, records, table
from benchmarks.results.words import listed, prose


def shipped() -> str:
    record = records("shipped")[0]
    rows, others = [], []
    for data in ("omniglot, evaluation alphabets", "glyphs, test classes"):
        found = record[data]
        for r in found["accuracy"]:
            error = f"{100 * r['calibration_error_plain']:.1f} → {100 * r['calibration_error']:.1f}"
            covered = f"{100 * r['coverage']:.1f}"
            rows.append([data, f"{r['n_way']}-way {r['n_shot']}-shot", percent(r), str(r["n_tasks"]), error, covered])
        strange, pixels, wrong = found["none of these"], found["deleted pixels"], found["wrong labels"]
        others += [
            [data, "none of these: area under the ROC", percent(strange["auroc"])],
            [
                data,
                f"none of these: false alarms where {100 * strange['false_alarms_asked']:g} % are asked",
                percent(strange["false_alarms"]),
            ],
            [data, "none of these: unknown inputs found", percent(strange["strangers_found"])],
            *(
                [data, f"probability lost without a tenth of the pixels: {name}", percent(pixels[name])]
                for name in ("occlusion", "integrated-gradients", "random ink", "random pixels")
            ),
            [data, "one wrong label of 25: found", percent(wrong["recall"])],
            [data, "one wrong label of 25: others suspected", percent(wrong["others_suspected"])],
            *(
                [
                    data,
                    f"accuracy after {r['labelled']} labels, chosen (at random)",
                    f"{percent(r['ours'])} ({percent(r['random'])})",
                ]
                for r in found["label next"]["rows"]
            ),
            [
                data,
                "5-way 5-shot, adapt and predict, one core: p50, p95",
                f"{found['latency']['p50_ms']:.1f} ms, {found['latency']['p95_ms']:.1f} ms",
            ],
        ]
    asked = record["glyphs, test classes"]["accuracy"][0]["coverage_asked"]
    said = prose(
        "`glyphs-proto`, trained on invented characters alone (`quickstudy/models/shipped`), never on Omniglot.",
        f"Coverage: of sets with a nominal coverage of {100 * asked:g} %, by the calibration alone. It is valid for",
        "tasks like its own, 5-way 1-shot glyphs; other ways, shots and characters get the coverage that is shown.",
        "Inductive; `benchmarks/shipped.py`.",
    )
    columns = ["", "tasks", "accuracy", "tasks", "calibration error", "coverage"]
    said += by_seed(record["omniglot, evaluation alphabets"]["accuracy"])
    return f"{said}{table(columns, rows)}\n{table(['', 'measured', 'percent, or as said'], others)}"


def by_seed(shipped: list[dict[str, Any]]) -> str:
    """Return what trainings with other seeds give on Omniglot, beside the weights that are shipped."""
    again = records("shipped-seeds")
    means: dict[int, list[float]] = {}
    for r in again:
        means.setdefault(r["n_shot"], []).append(r["mean"])
    if not means:
        return ""
    for r in shipped:
        if r["n_way"] == again[0]["n_way"] and r["n_shot"] in means:
            means[r["n_shot"]].insert(0, r["mean"])
    said = [f"{over_seeds(each)} % at {again[0]['n_way']}-way {k}-shot" for k, each in sorted(means.items())]
    each = "; ".join(", ".join(f"{100 * mean:.2f}" for mean in means[k]) for k in sorted(means))
    return prose(
        f"On Omniglot, {len(next(iter(means.values())))} trainings that differ in the seed alone, the shipped one",
        f"among them, answer {listed(said)} ({each}). Here the intervals are over seeds.",
    )


def promises() -> str:
    record = records("promises")[0]
    rows = [
        [
            data,
            f"{r['n_way']}-way {r['n_shot']}-shot",
            *(percent(r[name]) for name in ("coverage", "coverage_by_calibration")),
            f"{r['set_size']['mean']:.2f}",
            *(percent(r[name]) for name in ("false_alarms", "false_alarms_by_calibration", "strangers_found")),
            str(r["n_tasks"]),
        ]
        for data in ("omniglot", "glyphs", "digits")
        for r in record[data]
    ]
    said = prose(
        f'Sets with a nominal coverage of {100 * record["coverage_asked"]:g} %, and "none of these" with nominal',
        f"{100 * record['false_alarms_asked']:g} % of false alarms, by",
        '`glyphs-proto`. Both rest on each classifier\'s own examples, as in `predict`. The columns "by calibration"',
        "rest on the calibration of the weights alone. Omniglot's evaluation alphabets, glyphs of test classes,",
        "handwritten digits. A set is empty where nothing is likely enough. Percent, inductive;",
        "`benchmarks/promises.py`.",
    )
    coverage, alarms = ("coverage", "by calibration"), ("false alarms", "by calibration", "unknown inputs found")
    return said + table(["", "tasks", *coverage, "labels a set", *alarms, "tasks"], rows)
