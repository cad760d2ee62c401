"""``quickstudy adapt`` and ``quickstudy predict``."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

from quickstudy.classify.classifier import Answer, Classifier
from quickstudy.classify.learn import adapt as learn

NONE = "none of these"


def adapt(source: Path, model: Path | None, out: Path, as_json: bool) -> None:
    """Learn from a folder of class folders or a file, and write a classifier; one that is there learns more."""
    classifier = learn(source, model, out)
    counts = dict(zip(classifier.labels, classifier.data.counts.tolist(), strict=True))
    if as_json:
        print(json.dumps({"classifier": str(out), "examples": counts}))
    else:
        total = ", ".join(f"{label} {count}" for label, count in counts.items())
        print(f"{out}: learned {len(counts)} classes ({total})")


def predict(
    folder: Path,
    things: list[str],
    as_json: bool,
    as_csv: bool,
    coverage: float | None = None,
    false_alarms: float | None = None,
) -> None:
    """Print an answer to each input; everything is read before the first is printed."""
    classifier = Classifier.load(folder)
    noun = classifier.inputs.noun
    answers = list(classifier.answer(things, coverage=coverage, false_alarms=false_alarms))
    if as_json:
        print(json.dumps([answer.summary(noun) for answer in answers]))
    elif as_csv:
        _print_csv(answers, noun)
    else:
        for answer in answers:
            members = "" if answer.members is None else f"\t{{{', '.join(answer.members)}}}"
            label, sure = NONE if answer.none else answer.label, answer.probabilities[answer.label]
            print(f"{answer.name}\t{label}\t{100 * sure:.1f} %{members}")


def _print_csv(answers: list[Answer], noun: str) -> None:
    writer = csv.writer(sys.stdout, lineterminator="\n")
    sets = answers[0].members is not None
    writer.writerow([noun, "label", *answers[0].probabilities, *(["set"] if sets else [])])
    for answer in answers:
        members = ["|".join(answer.members)] if answer.members is not None else []
        cells = (f"{p:.6f}" for p in answer.probabilities.values())
        writer.writerow([answer.name, None if answer.none else answer.label, *cells, *members])
