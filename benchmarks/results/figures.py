"""The plots of docs/results.md, from records of results/."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib
import numpy as np

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from benchmarks.results.encoders import by_validation

Record = dict[str, Any]
TOP = 100.1
"""Where an axis of accuracies ends: errors near 0 are told apart as well as larger ones, by their ratio."""


def reproductions(rows: list[Record], path: Path) -> None:
    """Our accuracies beside the papers'."""
    fig, ax = plt.subplots(figsize=(8, 1.2 + 0.4 * len(rows)), layout="constrained")
    for y, r in enumerate(reversed(rows)):
        for kind, colour, above in (("inductive", "C0", 0.1), ("transductive", "C1", -0.1)):
            ours = r["ours"][kind]
            label = f"ours, {kind}" if y == 0 else None
            ax.errorbar(
                100 * ours["mean"], y + above, xerr=100 * ours["ci95"], fmt="o", color=colour, capsize=3, label=label
            )
        ax.plot(100 * r["paper"]["mean"], y, "kx", label="the paper's" if y == 0 else None)
    ax.set_yticks(range(len(rows)), [r["name"] for r in reversed(rows)])
    ax.set_xlabel("accuracy, %, with 95% intervals")
    ax.grid(alpha=0.3)
    ax.set_ylim(-0.5, len(rows) - 0.5)
    fig.legend(loc="outside upper center", ncols=3)
    fig.savefig(path, dpi=120)


def leaderboard(rows: list[Record], path: Path) -> None:
    """Accuracy of every learner against training time, shots and ways."""
    fig, axes = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
    for i, r in enumerate(rows):
        style = {"label": r["algorithm"], "color": plt.get_cmap("tab20")(i % 20), "marker": "o", "markersize": 3}
        curve, steps = r["training"]["curve"], r["training"]["settings"]["steps"]
        spent = [r["minutes"] * p["step"] / steps for p in curve]
        axes[0].plot(spent, [100 * p["accuracy"] for p in curve], **style)
        for ax, name, key in ((axes[1], "shots", "n_shot"), (axes[2], "ways", "n_way")):
            ax.plot([c[key] for c in r[name]], [100 * c["mean"] for c in r[name]], **style)
    how = (("training, minutes of one core", "5-way 1-shot, validation"), ("shots", "5-way"), ("ways", "1-shot"))
    for ax, (label, title) in zip(axes, how, strict=True):
        ax.set_xlabel(label)
        ax.set_title(title, fontsize=10)
        ax.set_ylabel("accuracy, %")
        ax.set_yscale("function", functions=(lambda a: -np.log(TOP - a), lambda y: TOP - np.exp(-y)))
        ax.set_yticks(ticks := [20, 50, 80, 90, 95, 98, 99, 99.5, 99.9], [f"{tick:g}" for tick in ticks])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0].set_ylim(88, 99.5)
    axes[1].set_ylim(90, 100)
    axes[2].set_ylim(20, 100)
    axes[2].set_xscale("log", base=2)
    handles, labels = axes[0].get_legend_handles_labels()
    fig.legend(handles, labels, loc="outside right upper", fontsize=8)
    fig.savefig(path, dpi=110)


def sinusoids(rows: list[Record], replicated: dict[int, tuple[float, ...]], path: Path) -> None:
    """Error against inner steps by points seen; all seeds of a learner in one colour."""
    fig, axes = plt.subplots(1, len(replicated), figsize=(15, 4.5), sharey=True, layout="constrained")
    names = ("maml-0.001", "maml-0.001-finn", "reptile")
    for ax, (n_shot, figures) in zip(axes, replicated.items(), strict=True):
        for r in rows:
            name = r["name"].rstrip("0123456789").rstrip("-") if "finn" in r["name"] else r["name"]
            if name not in names:
                continue
            curve = [c for c in r["rows"] if (c["range"], c["n_shot"]) == ("as trained", n_shot)]
            ax.plot([c["test_steps"] for c in curve], [c["mean"] for c in curve], color=f"C{names.index(name)}")
        ax.plot((1, 5, 10), figures, "kx")
        ax.set_title(f"{n_shot} points", fontsize=10)
        ax.set_xlabel("inner steps")
        ax.set_yscale("log")
        ax.set_ylim(0.02, 6)
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("mean squared error")
    lines = [plt.Line2D([], [], color=f"C{i}", label=name) for i, name in enumerate(names)]
    cross = plt.Line2D([], [], color="k", marker="x", linestyle="", label="maml-0.001-finn, replicated elsewhere")
    fig.legend(handles=[*lines, cross], loc="outside upper center", ncols=4)
    fig.savefig(path, dpi=110)


def encoders(record: Record, path: Path) -> None:
    """Accuracy of each encoder against shots, a panel per set of images; the head is chosen by validation classes."""
    sets = list(dict.fromkeys(r["images"] for r in record["rows"]))
    fig, axes = plt.subplots(1, len(sets), figsize=(3.4 * len(sets), 3.6), layout="constrained", sharey=True)
    for ax, images in zip(axes, sets, strict=True):
        lines: dict[str, list[tuple[int, Record]]] = {}
        for r, head in by_validation(record["rows"]):
            if r["images"] == images:
                lines.setdefault(r["encoder"], []).append((r["n_shot"], r["heads"][head]))
        for encoder, points in lines.items():
            shots, figures = zip(*points, strict=True)
            means, bars = ([100 * f[key] for f in figures] for key in ("mean", "ci95"))
            ax.errorbar(shots, means, bars, marker="o", markersize=4, capsize=3, label=encoder)
        ax.set_title(images, fontsize=10)
        ax.set_xlabel("examples per class")
        ax.set_xscale("log")
        ax.set_xticks(shots, [str(shot) for shot in shots])
        ax.minorticks_off()
        ax.grid(alpha=0.3)
    axes[0].set_ylabel("5-way accuracy, %")
    fig.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(lines))
    fig.savefig(path, dpi=120)
