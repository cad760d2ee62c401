"""docs/results.md and its plots, from the committed results: python -m benchmarks.results."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

from scipy import stats

from benchmarks.results_photos import (
    cifar_from_scratch,
    copies,
    encoders_and_heads,
    frozen_on_cifar,
    looks,
    photographs,
)
from benchmarks.results_rl import environments
from benchmarks.results_transductive import transductive
from benchmarks.tables import ROOT, percent, records, table

PAGE, PLOT = ROOT / "docs" / "results.md", ROOT / "docs" / "results.png"
HEAD = """# Results

Made from the files in [results](../results) by `make results`; each holds command, seed, versions and time.
Accuracy in percent with its 95% interval over test tasks. Inductive: an answer rests on the support and that one query;
transductive: on the statistics of all queries too.
"""


def minutes(record: dict[str, Any]) -> str:
    trainings = [record[name] for name in ("first_training", "training") if name in record]
    return f"{sum(training['seconds'] for training in trainings) / 60:.0f} min"


def reproductions() -> str:
    rows = []
    for r in records("reproduce"):
        paper = [percent(r["paper"]) if r["paper"]["transductive"] == kind else "" for kind in (False, True)]
        ours = [percent(r["ours"][kind]) for kind in ("inductive", "transductive")]
        tasks = str(r["ours"]["inductive"]["n_tasks"])
        how = "; ".join(sorted(r["shortened"])) or "nothing shortened"
        rows.append([f"`{r['name']}`", ours[0], paper[0], ours[1], paper[1], tasks, r["split"], minutes(r), how])
    columns = ["", "inductive", "paper", "transductive", "paper", "tasks", "split", "trained", "how"]
    return table(columns, rows)


def evaluations() -> str:
    cells: dict[tuple[str, str, str], dict[str, str]] = {}
    for r in records("omniglot"):
        settings = r["training"]["settings"]
        first = " (first order)" if settings["first_order"] else ""
        kind = ", transductive" if r["transductive"] else ""
        row = cells.setdefault((f"{r['algorithm']}{first}", minutes(r), r["split"]), {})
        row[f"{r['n_way']}-way {r['n_shot']}-shot{kind}"] = f"{percent(r)} ({r['n_tasks']})"
    columns = sorted({name for row in cells.values() for name in row})
    rows = [[*key, *(row.get(name, "") for name in columns)] for key, row in sorted(cells.items())]
    return table(["", "trained", "split", *columns], rows)


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


POINTS, STEPS = (5, 10, 20), (0, 1, 5, 10)
REPLICATED = {5: (0.715, 0.408, 0.375), 10: (0.432, 0.174, 0.144), 20: (0.293, 0.097, 0.073)}
"""By points, after 1, 5 and 10 steps at an inner rate of 0.001: the paper's program replicated in numpy."""


def sinusoids() -> str:
    found = records("sinusoid")
    rows = []
    for r in found:
        for where in dict.fromkeys(row["range"] for row in r["rows"]):
            for n_shot in POINTS:
                curve = [row for row in r["rows"] if (row["range"], row["n_shot"]) == (where, n_shot)]
                cells = [next(mse(row) for row in curve if row["test_steps"] == k) for k in STEPS]
                diverged = max(row["diverged"] for row in curve)
                tasks = str(curve[0]["n_tasks"])
                rows.append([r["name"], where, str(n_shot), *cells, f"{100 * diverged:.2f} %", tasks])
    columns = ["", "test tasks", "points", *(f"{k} steps" for k in STEPS), "diverged", "tasks"]
    said = (
        "Mean squared error (median) after so many inner steps, by algorithm and inner rate. Trained on amplitudes\n"
        "0.1 to 5, phases 0 to pi. Finn: as in the authors' program, weights start from a normal distribution cut off\n"
        "at two standard deviations of 0.01, and biases at 0. A number is the seed. The other rows start as torch\n"
        "does, which learns better. Diverged: the largest share of tasks, after any number of steps up to 10, with an\n"
        "error above 100. From 5 points, two of Reptile's 2,000 tasks diverge and determine its mean.\n\n"
    )
    figure = "![Error against inner steps](sinusoids.png)\n"
    return f"{said}{table(columns, rows)}\n{figure}\n{trainings(found)}"


def trainings(found: list[dict[str, Any]]) -> str:
    """What one more training would give, by those that differ in the seed alone, beside the replicated figures."""
    alike = [r for r in found if r["name"].startswith("maml-0.001-finn")]
    n = len(alike)
    rows, lower, above = [], [], []
    for n_shot, figures in REPLICATED.items():
        row = [str(n_shot)]
        for k, figure in zip(STEPS[1:], figures, strict=True):
            wanted = ("as trained", n_shot, k)
            errors = [
                c["mean"] for r in alike for c in r["rows"] if (c["range"], c["n_shot"], c["test_steps"]) == wanted
            ]
            mean, deviation = statistics.mean(errors), statistics.stdev(errors)
            spread = stats.t.ppf(0.975, n - 1) * deviation
            halves = f"± {spread / math.sqrt(n):.3f} (± {spread * math.sqrt(1 + 1 / n):.3f})"
            row += [f"{mean:.3f} {halves}", f"{figure:.3f}"]
            lower.append((figure - mean) / deviation)
            above.append(sum(error > figure for error in errors))
        rows.append(row)
    said = (
        f"Seeds differ far more than tasks. Each cell is the mean of the {n} trainings by Finn's protocol at an\n"
        "inner rate of 0.001, with its interval. In brackets is the interval in which 19 of 20 such trainings are\n"
        "expected to fall. The column beside it is what a replication in numpy found, of one or two seeds. Ours come\n"
        f"out lower on the mean, by at most {max(lower):.1f} standard deviations of a training. Each replicated\n"
        "figure is within the interval of a training; not each is within that of our mean. At least\n"
        f"{min(above)} of the {n} seeds lies above each.\n\n"
    )
    return said + table(["points", *(c for k in STEPS[1:] for c in (f"{k} steps", "replicated"))], rows)


def mse(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return "infinite"
    return f"{row['mean']:.3g} ± {row['ci95']:.2g} ({row['median']:.3g})"


def cell(row: dict[str, Any], n_way: int, n_shot: int, transductive: bool = False) -> dict[str, Any]:
    wanted = (n_way, n_shot, transductive)
    return next(c for c in row["cells"] if (c["n_way"], c["n_shot"], c["transductive"]) == wanted)


def leaders(folder: str = "leaderboard", trained_on: str = "omniglot") -> list[dict[str, Any]]:
    """Records of benchmarks/leaderboard.py, best first."""
    return sorted((r for r in records(folder) if r["trained_on"] == trained_on), key=lambda r: -cell(r, 5, 1)["mean"])


CELLS = ((5, 1), (5, 5), (20, 1), (20, 5))


def leaderboard() -> str:
    found = leaders()
    tasks = f"{cell(found[0], 5, 1)['n_tasks']} tasks of 5 ways, {cell(found[0], 20, 1)['n_tasks']} of 20"
    calibrated, budget = found[0]["calibration_error"]["n_tasks"], f"{found[0]['minutes']:g} minutes"
    said = (
        "Every learner has the same conv4-64, the same tasks and the same budget. The tasks are of Omniglot's\n"
        f"background alphabets, with rotations as classes. The budget is {budget} of one core on which\n"
        "Prototypical's step takes 0.4 s. On other cores, a learner makes as many steps as would fit there. For that,\n"
        "its step is timed relative to Prototypical's.\n"
        "Tested on the evaluation alphabets. Relation Networks alone have their paper's net, whose\n"
        f"embeddings are maps. Recipes: `benchmarks/leaderboard.py`. {tasks}, the same for all.\n"
        f"Calibration error on {calibrated} 5-way 1-shot tasks, before and after a temperature from validation tasks.\n"
        "Outer rates were chosen in one way for all, below. What else differs from the presets was also chosen by\n"
        "validation classes, but not with equal care. This was the ways and queries of Siamese and Relation Networks,\n"
        "and the inner loops of the gradient learners but Proto-MAML. Implicit MAML got some twenty short tries;\n"
        "Meta-SGD, MAML++ and Relation Networks got four or more. The others have their presets and may do better.\n"
        "Nearest pixels, which has one number to learn, got 0.1 minutes. One seed each. To adapt: one 5-way 1-shot\n"
        "task, on that core too.\n\n"
        "Implicit MAML was tested twice. The five inner steps of its training had solved 86.7 and 86.8 % of 20-way 1-\n"
        "and 5-shot test tasks. On validation tasks (100 each), five steps come to 86.0 and 85.6 %, 16 steps to 91.6\n"
        "and 97.6 %, and 32 to 92.0 and 97.7 %. Its row is of 16 steps, with the same weights.\n\n"
        "Those that train on plain batches memorise their classes: on validation tasks all three are best after the\n"
        "first fifth of the hour. The weights of that time are tested.\n\n"
    )
    figure = "![Accuracy against training time, shots and ways](leaderboard.png)\n"
    return f"{said}{standings(found)}\n{figure}\n{picks()}\n{rates()}"


def rates() -> str:
    said = (
        "### Outer rates\n\n"
        "Accuracy of 5-way and 20-way 1-shot tasks from the validation alphabets (200 and 100, one seed) after three\n"
        "minutes, by outer rate. The rate with the best mean was taken; neither three times this rate nor a third of\n"
        "it did better. So short a training may favour larger rates than a long one. Two tries of Relation Networks\n"
        "at one rate, 1,311 and 1,337 steps, came to means 1.4 points apart, so smaller differences show little.\n\n"
    )
    rows = []
    for r in records("rates"):
        tries = [f"{t['outer_lr']:g}: {100 * t['5-way']:.1f}, {100 * t['20-way']:.1f}" for t in r["tries"]]
        taken = max(r["tries"], key=lambda t: float(t["mean"]))
        rows.append([r["algorithm"], "; ".join(tries), f"{taken['outer_lr']:g}"])
    return said + table(["", "outer rate: 5-way, 20-way", "taken"], rows)


def standings(found: list[dict[str, Any]]) -> str:
    rows = []
    for r in found:
        figures = [percent(cell(r, *each, kind)) for kind in (False, True) for each in CELLS]
        error = r["calibration_error"]
        believed = f"{100 * error['plain']:.1f} → {100 * error['calibrated']:.1f}"
        speed = r["training"]["speed"]
        adapted = f"{1e3 * speed * cell(r, 5, 1)['seconds_per_adaptation']:.0f} ms"
        rows.append([r["algorithm"], *figures, believed, adapted])
    names = [f"{n}-way {k}-shot" for n, k in CELLS]
    columns = ["", *names, *(f"{name}, transductive" for name in names), "calibration error", "to adapt"]
    return table(columns, rows)


def picks() -> str:
    """For each thing that a user may want, the best learner and those that are as good within the intervals."""
    wanted: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        **{f"{n}-way {k}-shot": lambda r, n=n, k=k: cell(r, n, k) for n, k in CELLS},
        "64-way 1-shot": lambda r: next(c for c in r["ways"] if c["n_way"] == 64),
        **{
            f"{data}, {k}-shot": lambda r, data=data, k=k: next(
                c for c in r["elsewhere"] if (c["data"], c["n_shot"]) == (data, k)
            )
            for data in ("glyphs", "digits")
            for k in (1, 5)
        },
    }
    rows = []
    for name, figure in wanted.items():
        ranked = sorted(leaders(), key=lambda r: -figure(r)["mean"])
        first = figure(ranked[0])
        alike = [
            r["algorithm"]
            for r in ranked[1:]
            if first["mean"] - figure(r)["mean"] <= math.hypot(first["ci95"], figure(r)["ci95"])
        ]
        rows.append([name, f"{ranked[0]['algorithm']} {100 * first['mean']:.1f}", ", ".join(alike)])
    said = (
        "### Which to pick\n\n"
        "The best learner for each, and those whose difference from it is within the two intervals together;\n"
        "trained on Omniglot, inductive. The intervals count tasks and not trainings, of which each has one: a lead\n"
        "hardly larger than they are may be due to the seed.\n\n"
    )
    return f"{said}{table(['', 'best', 'as good'], rows)}"


def generalisation() -> str:
    found = [r for trained_on in ("omniglot", "glyphs", "digits") for r in leaders("generalisation", trained_on)]
    how = f"{found[0]['minutes']:g} minutes of its reference core; inductive, {cell(found[0], 5, 1)['n_tasks']} tasks"
    said = (
        "5-way accuracy on classes and kinds of images that were never seen, by the leaderboard's recipes. The outer\n"
        "rates are older than those above (they are in the records). Each learner was trained for\n"
        f"{how}, one seed. Of digits, 0 to 4 and their rotations are\n"
        "trained on, and then only 5 to 9 tested; else all ten are. So few classes are memorised: the pairs' loss of\n"
        "Siamese falls below 0.001 and its answers on the other digits to chance.\n\n"
    )
    return f"{said}{elsewhere(found)}\nAfter the leaderboard's whole budget:\n\n{elsewhere(leaders())}"


def elsewhere(found: list[dict[str, Any]]) -> str:
    rows = []
    for r in found:
        tested = {(r["trained_on"], k): cell(r, 5, k) for k in (1, 5)}
        tested |= {(c["data"], c["n_shot"]): c for c in r["elsewhere"]}
        figures = [percent(tested[data, k]) for data in ("omniglot", "glyphs", "digits") for k in (1, 5)]
        rows.append([r["algorithm"], r["trained_on"], *figures])
    names = [f"{data}, {k}-shot" for data in ("Omniglot", "glyphs", "digits") for k in (1, 5)]
    return table(["", "trained on", *names], rows)


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
            [data, "none of these: false alarms where 5 % are asked", percent(strange["false_alarms"])],
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
    said = (
        "`glyphs-proto`, trained on invented characters alone (`quickstudy/models/shipped`), never on Omniglot.\n"
        "Coverage: of sets with a nominal coverage of 90 %, by the calibration alone. It is valid for tasks like its\n"
        "own, 5-way 1-shot glyphs; other ways, shots and characters get the coverage that is shown. Inductive;\n"
        "`benchmarks/shipped.py`.\n\n"
    )
    columns = ["", "tasks", "accuracy", "tasks", "calibration error", "coverage"]
    return f"{said}{table(columns, rows)}\n{table(['', 'measured', 'percent, or as said'], others)}"


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
    said = (
        'Sets with a nominal coverage of 90 %, and "none of these" with nominal 10 % of false alarms, by\n'
        '`glyphs-proto`. Both rest on each classifier\'s own examples, as in `predict`. The columns "by calibration"\n'
        "rest on the calibration of the weights alone. Omniglot's evaluation alphabets, glyphs of test classes,\n"
        "handwritten digits. A set is empty where nothing is likely enough. Percent, inductive;\n"
        "`benchmarks/promises.py`.\n\n"
    )
    coverage, alarms = ("coverage", "by calibration"), ("false alarms", "by calibration", "unknown inputs found")
    return said + table(["", "tasks", *coverage, "labels a set", *alarms, "tasks"], rows)


def disturbances() -> str:
    record = records("disturbances")[0]
    rows = []
    for name, after in record["disturbances"].items():
        cells = [
            [percent(r["accuracy"]), f"{r['confidence']:.2f}", f"{100 * r['warned']:.0f} %"]
            for r in (after["before"], after)
        ]
        rows.append([name, *cells[0][:2], *cells[1]])
    said = (
        f"New drawings of {record['n_way']}-way {record['n_shot']}-shot tasks of Omniglot's evaluation characters,\n"
        f"disturbed; the examples are clean. `glyphs-proto`, {record['n_tasks']} tasks, {record['queries']} drawings,\n"
        "inductive. Before: encoded as they are. After: cut out of their surroundings, as `predict` does. Warned:\n"
        "share of drawings that a warning names as doubtful. `benchmarks/disturbances.py`.\n\n"
    )
    columns = ["", "before", "confidence", "after", "confidence", "warned"]
    return said + table(columns, rows)


def server() -> str:
    record = records("serve")[0]
    rows = [
        [r["kind"], *(f"{r[f'{who}_p50_ms']:.0f} / {r[f'{who}_p95_ms']:.0f} ms" for who in ("alone", "together"))]
        for r in record["rows"]
    ]
    r = record["rows"][0]
    said = (
        f"Time to an answer of `quickstudy serve` on one core, median / 95th percentile, {r['requests']:,} requests:\n"
        f"by one client, and by {r['clients']} clients. Each client sends its next request when the last one is\n"
        "answered, so that each waits for the others. `benchmarks/serve.py`.\n\n"
    )
    return said + table(["", "one client", f"{r['clients']} clients"], rows)


def page() -> str:
    parts = [HEAD]
    for title, folder, make in (
        ("Beside the papers (`quickstudy reproduce`)", "reproduce", reproductions),
        ("Every learner on equal terms", "leaderboard", leaderboard),
        ("Elsewhere than trained", "generalisation", generalisation),
        ("The weights that come with the package", "shipped", shipped),
        ("Photographs without a run", "photos", photographs),
        ("Which encoder and which head", "matrix", encoders_and_heads),
        ("CIFAR-FS by the encoder of photographs", "cifar-fs", frozen_on_cifar),
        ("CIFAR-FS from scratch", "cifar-scratch", cifar_from_scratch),
        ("Transductive learners", "transductive", transductive),
        ("Environments", "rl", environments),
        ("Drawing or photograph", "looks", looks),
        ("Drawings on any page", "disturbances", disturbances),
        ("Copies among pictures", "copies", copies),
        ("Answers over HTTP", "serve", server),
        ("Coverage by a classifier's own examples", "promises", promises),
        ("Sentences of domains never seen", "text", text),
        ("Omniglot, evaluation alphabets", "omniglot", evaluations),
        ("Lake's one-shot challenge, the official runs", "lake-official", official),
        ("Lake's one-shot challenge, on trials of our own", "lake", challenges),
        ("Sinusoids", "sinusoid", sinusoids),
    ):
        if records(folder):
            parts.append(f"## {title}\n\n{make()}")
    return "\n".join(parts) + "\n![Ours beside the papers'](results.png)\n"


if __name__ == "__main__":
    from benchmarks import figures

    PAGE.write_text(page())
    figures.reproductions(records("reproduce"), PLOT)
    figures.leaderboard(leaders(), PLOT.with_name("leaderboard.png"))
    for record in records("matrix"):
        figures.encoders(record, PLOT.with_name("encoders.png"))
    figures.sinusoids(records("sinusoid"), REPLICATED, PLOT.with_name("sinusoids.png"))
