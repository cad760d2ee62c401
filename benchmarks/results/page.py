"""docs/results.md from the committed results."""

from __future__ import annotations

from benchmarks.results.cifar import from_scratch, frozen_on_cifar
from benchmarks.results.elsewhere import generalisation
from benchmarks.results.encoders import encoders_and_heads
from benchmarks.results.lake import challenges, official
from benchmarks.results.leaderboard import leaderboard
from benchmarks.results.omniglot import evaluations, reproductions
from benchmarks.results.photos import photographs
from benchmarks.results.pictures import copies, disturbances, looks
from benchmarks.results.rl import environments
from benchmarks.results.serve import server
from benchmarks.results.shipped import promises, shipped
from benchmarks.results.sinusoids import sinusoids
from benchmarks.results.tables import ROOT, records
from benchmarks.results.text import text
from benchmarks.results.transductive import transductive

PAGE, PLOT = ROOT / "docs" / "results.md", ROOT / "docs" / "results.png"
HEAD = """# Results

Made from the files in [results](../results) by `make results`; each holds command, seed, versions and time.
Accuracy in percent with its 95% interval over test tasks. Inductive: an answer rests on the support and that one query;
transductive: on the statistics of all queries too.
"""


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
        ("Photographs from scratch", "cifar-scratch", from_scratch),
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
