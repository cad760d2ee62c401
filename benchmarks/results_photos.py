"""Sections of docs/results.md about photographs, and about encoders of images."""

from __future__ import annotations

from typing import Any

from benchmarks.tables import percent, records, table

Record = dict[str, Any]


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
    return (
        f"Frozen encoders, and heads on their features of length 1: {record['n_way']}-way, {record['n_tasks']} tasks\n"
        f"of {record['n_query']} queries per class, test classes, inductive. The last column is the best head\n"
        "on validation classes, among those shown and some that also learn from changed copies of each example:\n"
        f"{record['copies']} parts of it, mirrored or not. `benchmarks/matrix.py`.\n\n"
    )


def _picks(record: Record) -> str:
    """Say which encoder to pick for which images, by validation classes."""
    best: dict[str, tuple[float, str]] = {}
    for r, head in by_validation(record["rows"], "validation"):
        if r["n_shot"] == 5:
            mean = r["heads"][head]["mean"]
            best[r["images"]] = max(best.get(r["images"], (0, "")), (mean, r["encoder"]))
    picks = "; ".join(f"for {images}, {encoder}" for images, (_, encoder) in best.items())
    figure = "![Encoders on four sets of images](encoders.png)"
    return f"What to pick, by five shots of validation classes: {picks}.\n\n{figure}\n"


def frozen_on_cifar() -> str:
    record = records("cifar-fs")[0]
    heads = list(record["cells"][-1]["heads"])
    rows = [
        [f"{c['n_way']}-way {c['n_shot']}-shot", *(percent(c["heads"][h]) if h in c["heads"] else "" for h in heads)]
        for c in record["cells"]
    ]
    said = (
        f"Heads on the features of {record['encoder']}, which was trained on ImageNet; nothing is trained here.\n"
        f"{record['cells'][0]['n_tasks']:,} tasks of {record['cells'][0]['n_query']} queries per class, inductive.\n"
        f"Images: {record['split']}. ImageNet has most of these classes, so this is no\n"
        "figure of new classes. Published beside it: frozen CLIP ViT-B, nearest mean 57.7 and 81.0 % (Fifty et al.\n"
        "2024, CAML, table 1). `benchmarks/cifar_frozen.py`.\n\n"
    )
    return said + table(["", *heads], rows)


def cifar_from_scratch() -> str:
    runs = records("cifar-scratch")
    kinds = [
        kind
        for kind in ((False, 1), (False, 5), (True, 1), (True, 5))
        if any((e["turned"], e["n_shot"]) == kind for run in runs for e in run["evaluations"])
    ]
    rows = [
        [run["name"], *(_cell(run["evaluations"], *kind) for kind in kinds), f"{run['minutes']:.0f}"] for run in runs
    ]
    one = runs[0]["evaluations"][0]
    said = (
        f"conv4-64 trained on the 64 training classes alone: {one['n_way']}-way, {one['n_tasks']:,} tasks of test\n"
        "classes, inductive, one seed. Published for plain conv4-64: RFS 62.7 and 78.7 %, distilled 63.8 and 79.5 %\n"
        "(Tian et al. 2020). The archive of CIFAR-100 that was used is not the published file, by its checksum.\n"
        "`quickstudy reproduce`.\n\n"
    )
    shots = [f"{k} shot{'s' * (k > 1)}{', mean over four turns' * turned}" for turned, k in kinds]
    return said + table(["", *shots, "minutes, one core beside other work"], rows)


def _cell(evaluations: list[Record], turned: bool, n_shot: int) -> str:
    return next((percent(e) for e in evaluations if (e["turned"], e["n_shot"]) == (turned, n_shot)), "")


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
    return (
        "Errors of the rule that decides whether pictures are drawings or photographs, on classes on which it was\n"
        "not fitted, with each disturbance. Its form was chosen with errors on these classes in view, so a new set\n"
        f"may have more. Folders: {record['n_way']} classes of {record['n_shot']} pictures; the majority decides.\n"
        "`benchmarks/looks.py`.\n\n"
    ) + table(["", "pictures", "wrong", "folders wrong"], rows)


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
    said = (
        f"Copies that `check` finds. A copy has {record['copy']}.\n"
        "The largest distance that counts was chosen on every second category; these are the others. Pairs of\n"
        "originals are named in [the record](../results/copies/copies.json): those of photographs show the same\n"
        "picture, one of them on another ground. Mirrored copies are not searched. `benchmarks/copies.py`.\n\n"
    )
    return said + table(["", "copies found", "mirrored", "pairs of originals", "largest distance"], rows)
