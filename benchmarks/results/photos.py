"""Section of docs/results.md about photographs."""

from __future__ import annotations

from benchmarks.results.tables import percent, records, table


def photographs() -> str:
    record = next(r for r in records("photos") if "accuracy" in r)
    heads = ("R2D2", "logistic regression", "nearest mean", "R2D2 minus logistic regression")
    rows = [
        [f"{r['n_way']}-way {r['n_shot']}-shot", *(percent(r[head]) for head in heads), str(r["n_tasks"])]
        for r in record["accuracy"]
    ]
    names = ("coverage", "false_alarms", "strangers_found", "auroc")
    others = [
        [
            f"{r['n_way']}-way {r['n_shot']}-shot",
            f"{100 * r['calibration_error']:.1f}",
            *(percent(r[name]) if name in r else "" for name in names),
            f"{r['set_size']['mean']:.2f}" if "set_size" in r else "",
        ]
        for r in record["promises"]
    ]
    said = (
        "40 categories of Caltech-101, 20 photographs each, by EfficientNet-Lite0's features and ridge regression\n"
        "(`efficientnet-r2d2`), beside other heads on the same features and tasks. Inductive. ImageNet, on which the\n"
        "encoder was trained, knows many of these categories. `benchmarks/photos.py`.\n\n"
    )
    told = (
        "\nOn the 20 categories that calibrated nothing: sets with a nominal coverage of 90 % and nominal 5 % of\n"
        "false alarms, by each classifier's own examples. A set always holds the most probable label, so its coverage\n"
        "is at least the accuracy. Unknown inputs are photographs of other categories; the last but one column is the\n"
        "area under the ROC for detecting them.\n\n"
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
    said = (
        "\nProbability that an answer loses if a tenth of its photograph is painted with its mean colour. The places\n"
        f"are those that the explanation names, or random. {record['n_tasks']} photographs, each of another\n"
        f"{record['n_way']}-way {record['n_shot']}-shot task. `benchmarks/faithfulness.py`.\n\n"
    )
    return said + table(["", "named places", "random places"], rows)


def speed_of_photographs() -> str:
    record = next(r for r in records("photos") if "programs" in r)
    rows = []
    for name, r in record["programs"].items():
        parts = ("whole_process_one_answer", "adapt_25", "answer_one")
        cells = [f"{1000 * r[part]['cpu_s']['p50']:.0f} / {1000 * r[part]['cpu_s']['p95']:.0f}" for part in parts]
        rows.append([name, *cells, f"{r['peak_memory_mib']:.0f}", f"{100 * r['accuracy']:.1f} %"])
    said = (
        f"\nLearning {record['n_way'] * record['n_shot']} photographs and answering others, beside adaptshot\n"
        f"{record['adaptshot']} (MobileNetV3-Small by onnxruntime, nearest mean), in turn on one core:\n"
        f"{record['n_tasks']} tasks, {record['n_query']} answers each. Processor time, ms, median / 95th\n"
        "percentile; MiB at most. "
        "`benchmarks/photo_speed.py`.\n\n"
    )
    return said + table(["", "whole process, one answer", "adapt", "one answer", "memory", "accuracy"], rows)
