"""The demo's page: one file that shows what was learned, from what, and how sure the answers are."""

from __future__ import annotations

import base64
import html
import io
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from matplotlib.figure import Figure
from PIL import Image

import quickstudy as qs
from quickstudy.io.files import replace

if TYPE_CHECKING:
    from navigation import Walks

    from demo import Outcome

MORE_STEPS = 20
"""Inner steps on digits, in place of the few that characters need."""
COLOURS = ("#3b5bdb", "#e8590c", "#2b8a3e", "#9c36b5", "#0b7285", "#868e96", "#ced4da")

PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>quickstudy: learning from one example</title>
<style>
body {{ font: 16px/1.55 system-ui, sans-serif; color: #212529; max-width: 960px; margin: 2.5rem auto; padding: 0 1rem }}
h1 {{ font-size: 1.7rem; margin-bottom: .2rem }} h2 {{ font-size: 1.2rem; margin-top: 2.4rem }}
p {{ max-width: 44rem }} .lead {{ color: #495057 }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; width: 100% }}
th, td {{ padding: .35rem .7rem; text-align: right; border-bottom: 1px solid #e9ecef }}
th:first-child, td:first-child {{ text-align: left }} td small {{ color: #868e96; display: block }}
.task {{ display: flex; gap: 2rem; flex-wrap: wrap; align-items: flex-start; margin: 1rem 0 }}
.row {{ display: flex; gap: .5rem; flex-wrap: wrap }} figure {{ margin: 0; text-align: center; font-size: .8rem }}
figure img {{ width: 64px; height: 64px; border: 3px solid #dee2e6; border-radius: 6px; image-rendering: pixelated }}
figure.right img {{ border-color: #2b8a3e }} figure.wrong img {{ border: 3px dashed #c92a2a }}
.plots img {{ max-width: 100% }} h3 {{ font-size: .95rem; margin: .2rem 0; color: #495057 }}
</style></head><body>
<h1>Learning from one example</h1>
<p class="lead">Five meta-learners and a plain net practised on {n_train} invented characters. Then they met classes
that none of them had seen: new invented characters, and real handwritten digits. Whole run: {seconds:.0f} s.</p>
<h2>The two loops</h2>
<p>A <b>task</b> shows a few examples of five classes (the support) and asks about other pictures of them (the
queries). The <b>inner loop</b> learns one task from its support. The <b>outer loop</b> goes through thousands of tasks
and changes the learner so that its inner loop answers the next task better. What is learned is how to learn.</p>
<h2>New classes, from 1 and 5 examples each</h2>
<p>Accuracy in %, with the 95% interval of the mean over tasks. Five classes a task, so guessing gives 20. Every answer
depends on the support and that one query alone (inductive).</p>
{table}
<p>“Pretrained” is ordinary training with no tasks in it: the net learns to tell all training classes apart, and a new
task fits a new last layer. “No training before” is the same net, trained on the few examples alone.</p>
{digits}
<h2>One task of each kind, answered by {star}</h2>
{tasks}
<h2>More examples, more accuracy</h2><div class="plots"><img alt="Accuracy by number of examples" src="{shots}"></div>
<h2>The outer loop at work</h2><p>Accuracy on validation tasks during the training: 5 classes that are in neither the
training nor the tests, one example of each. Bars are 95% intervals.</p>
<div class="plots"><img alt="Validation accuracy" src="{validations}"></div>
<p>Loss of each learner's training tasks, against its steps. The losses differ in kind, so compare shapes, not
heights. Reptile's is no error but half of the squared distance by which the inner steps move the weights: it may rise
while the accuracy rises, because the tasks then move the weights further.</p>
<div class="plots"><img alt="Loss curves" src="{losses}"></div>
{walks}
<h2>Now your own pictures</h2><p>A folder for each thing, with a few pictures in it. No training is needed.</p>
<pre>quickstudy adapt my-pictures -o my-classifier
quickstudy predict my-classifier new.png</pre>
</body></html>
"""


def write_report(
    path: Path, outcomes: list[Outcome], tests: dict[str, qs.ClassDataset], walks: Walks, seconds: float
) -> None:
    """Write the page; everything it shows is inside it."""
    star = max(outcomes, key=lambda o: o.results["unseen glyphs"][1].mean)
    page = PAGE.format(
        n_train=600,
        seconds=seconds,
        table=_table(outcomes),
        star=html.escape(star.recipe.name),
        tasks="".join(_task(name, data, star.learner) for name, data in tests.items()),
        shots=_png(_shots(outcomes)),
        losses=_png(_losses(outcomes)),
        validations=_png(_validations(outcomes)),
        digits=_digits(outcomes),
        walks=walks.section(),
    )
    replace(path, page.encode())


def _table(outcomes: list[Outcome]) -> str:
    head = "".join(f"<th>{name}, {k}</th>" for name in outcomes[0].results for k in (1, 5))
    rows = []
    for o in outcomes:
        cells = "".join(
            f"<td>{100 * by_shot[k].mean:.1f} ± {100 * by_shot[k].ci95:.1f}</td>"
            for by_shot in o.results.values()
            for k in (1, 5)
        )
        name, what = html.escape(o.recipe.name), html.escape(o.recipe.what)
        n_tasks = ", ".join(str(result.n_tasks) for result in o.results["unseen glyphs"].values())
        rows.append(f"<tr><td>{name}<small>{what}</small></td>{cells}<td>{n_tasks}</td><td>{o.seconds:.0f} s</td></tr>")
    return f"<table><tr><th>learner</th>{head}<th>tasks</th><th>trained</th></tr>{''.join(rows)}</table>"


def _digits(outcomes: list[Outcome]) -> str:
    """Why few inner steps are not enough for digits, by what was measured."""
    parts = []
    for o in outcomes:
        if o.more_steps is not None:
            few = o.results["real digits"][5].values[: o.more_steps.n_tasks]
            before, after = 100 * sum(few) / len(few), 100 * o.more_steps.mean
            steps = o.learner.steps
            many = "step" if steps == 1 else "steps"
            name = html.escape(o.recipe.name)
            parts.append(f"{name} {before:.1f} % after {steps} {many} and {after:.1f} % after {MORE_STEPS}")
    return (
        "<p>Why do MAML and Reptile do worse on digits than the plain net, and not on glyphs? They were trained to "
        "learn a character in very few inner steps, and take as few here; the plain net fits its last layer by 50. "
        "Digits need more steps. From 5 examples of each, on the same tasks: "
        f"{'; '.join(parts)}.</p>"
    )


def _task(name: str, data: qs.ClassDataset, learner: qs.Learner) -> str:
    """Support and queries of one task, each query with its answer and how sure it is."""
    task = qs.Episodes(data, 5, 1, 2, seed=1, split="shown").sample(0, 1).at(0)
    with torch.no_grad():
        sure, answers = learner.adapt(task.support)(task.query.x).softmax(-1).max(-1)
    support = [_figure(x, f"{'ABCDE'[k]}", "") for k, x in enumerate(task.support.x[task.support.y.T.argmax(-1)])]
    queries = []
    for x, y, answer, p in zip(task.query.x, task.query.y.argmax(-1), answers, sure, strict=True):
        right = bool(answer == y)
        mark = "✓" if right else f"✗ is {'ABCDE'[y]}"
        queries.append(_figure(x, f"{'ABCDE'[answer]} {100 * p:.0f}% {mark}", "right" if right else "wrong"))
    return (
        f"<h3>{name}</h3><div class='task'><div><h3>support: one example of each class</h3>"
        f"<div class='row'>{''.join(support)}</div></div>"
        "<div><h3>queries: the answer, how sure, right or wrong</h3>"
        f"<div class='row'>{''.join(queries)}</div></div></div>"
    )


def _figure(x: torch.Tensor, caption: str, kind: str) -> str:
    pixels = (255 * (1 - x[0])).round().to(torch.uint8).numpy()
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return f'<figure class="{kind}"><img alt="" src="{_uri(buffer)}"><figcaption>{caption}</figcaption></figure>'


def _shots(outcomes: list[Outcome]) -> Figure:
    figure = Figure(figsize=(9.6, 4), layout="constrained")
    axes = figure.subplots(1, 2, sharey=True)
    for ax, name in zip(axes, outcomes[0].results, strict=True):
        for o, colour in zip(outcomes, COLOURS, strict=True):
            by_shot = o.results[name]
            means, errors = ([100 * getattr(e, part) for e in by_shot.values()] for part in ("mean", "ci95"))
            ax.errorbar(range(len(by_shot)), means, errors, color=colour, marker="o", capsize=3, label=o.recipe.name)
        ax.axhline(20, color="#adb5bd", linestyle=":", label="chance")
        ax.set_xticks(range(len(by_shot)), [str(k) for k in by_shot])
        ax.set(title=name, xlabel="examples of each class", ylim=(15, 101))
    axes[0].set_ylabel("accuracy, %")
    axes[1].legend(fontsize=8, loc="lower right")
    return figure


def _validations(outcomes: list[Outcome]) -> Figure:
    figure = Figure(figsize=(9.6, 4), layout="constrained")
    ax = figure.subplots()
    for o, colour in zip(outcomes, COLOURS, strict=True):
        if o.validations:
            means, errors = ([100 * getattr(e, part) for e in o.validations.values()] for part in ("mean", "ci95"))
            ax.errorbar(list(o.validations), means, errors, color=colour, marker="o", capsize=3, label=o.recipe.name)
    ax.axhline(20, color="#adb5bd", linestyle=":", label="chance")
    ax.set(xlabel="outer steps", ylabel="validation accuracy, %", ylim=(15, 101))
    ax.legend(fontsize=8, loc="lower right")
    return figure


def _losses(outcomes: list[Outcome]) -> Figure:
    trained = [(o, colour) for o, colour in zip(outcomes, COLOURS, strict=True) if o.losses]
    figure = Figure(figsize=(9.6, 3.4), layout="constrained")
    axes = figure.subplots(2, 3, squeeze=False).ravel()
    for ax, (o, colour) in zip(axes, trained, strict=True):
        window = max(1, len(o.losses) // 40)
        smooth = np.convolve(o.losses, np.ones(window) / window, mode="valid")
        ax.plot(o.losses, color=colour, alpha=0.25, linewidth=0.7)
        ax.plot(np.arange(len(smooth)) + window - 1, smooth, color=colour)
        ax.set_title(o.recipe.name, fontsize=9)
        ax.tick_params(labelsize=7)
    return figure


def _png(figure: Figure) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=130)
    return _uri(buffer)


def _uri(buffer: io.BytesIO) -> str:
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode()
