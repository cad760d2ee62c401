"""Classifiers, answers and explanations as plain data for responses."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any, cast

from quickstudy.classify.advice import duplicates, suspects
from quickstudy.classify.answer import SCHEMA
from quickstudy.classify.check import report_of
from quickstudy.classify.classifier import Classifier
from quickstudy.classify.explanation import explain
from quickstudy.classify.page import heat_map
from quickstudy.inputs import INPUTS
from quickstudy.inputs.base import Inputs, Item
from quickstudy.nets import has_foreign
from quickstudy.serving.limits import Limits, Refused
from quickstudy.serving.shapes import KINDS, Question
from quickstudy.serving.store import Held

_NAMES = {value: key for key, value in KINDS.items()}


def kind_of(inputs: Inputs) -> str:
    """Return the name of a kind of inputs in requests."""
    name = str(INPUTS.name_of(type(inputs)))
    return _NAMES.get(name, name)


def state(name: str, held: Held, n_undo: int) -> dict[str, Any]:
    """Return what a classifier has learned."""
    classifier = held.classifier
    counts = classifier.data.counts.tolist()
    return {
        "schema": SCHEMA,
        "name": name,
        "version": held.version,
        "kind": kind_of(classifier.inputs),
        "noun": classifier.inputs.noun,
        "labels": dict(zip(classifier.labels, counts, strict=True)),
        "n_examples": sum(counts),
        "calibrated": classifier.confidence is not None,
        "can_undo": n_undo,
    }


def checked(held: Held) -> dict[str, Any]:
    """Return what is wrong with the examples, as ``quickstudy check`` does; each example is named by its id too."""
    if "check" not in held.derived:
        report = report_of(held.classifier).summary()
        wrong = suspects(held.classifier)
        copies = duplicates(held.classifier)
        for entry, suspect in zip(report["suspects"], wrong, strict=False):  # none are listed where there is a doubt
            entry["id"] = held.ids[suspect.row]
        for entry, pair in zip(report["duplicates"], copies, strict=True):
            entry |= {"first_id": held.ids[pair.first], "second_id": held.ids[pair.second]}
        held.derived["check"] = report
    return cast(dict[str, Any], held.derived["check"])


def examples(held: Held) -> list[dict[str, Any]]:
    """Return the examples: id, label, name and caption."""
    classifier = held.classifier
    return [
        {"id": id_, "label": classifier.labels[c], "input": item.name, "caption": classifier.inputs.caption(item)}
        for id_, c, item in zip(held.ids, classifier.data.y.tolist(), classifier.items, strict=True)
    ]


def row_of(held: Held, id_: str) -> int:
    """Return the row of an example.

    Raises:
        Refused: There is no example with this id.
    """
    if id_ not in held.ids:
        raise Refused(404, f"no example {id_[:40]!r}; GET its classifier's examples lists them")
    return held.ids.index(id_)


def mixes(classifier: Classifier) -> bool:
    """Return whether an answer may depend on the other inputs of its batch."""
    return classifier.learner.transductive or has_foreign(classifier.learner)


def answers(classifier: Classifier, items: Sequence[Item], question: Question) -> dict[str, Any]:
    """Return answers in the form of ``quickstudy predict --json``."""
    skipped: list[str] = []
    summaries = [
        answer.summary()
        for answer in classifier.answer(
            items,
            coverage=question.coverage,
            false_alarms=question.false_alarms,
            rest_on=question.rest_on,
            skip=(lambda error: skipped.append(str(error))) if question.skip_bad else None,
        )
    ]
    return {"schema": SCHEMA, "answers": summaries, "skipped": skipped}


def explained(held: Held, item: Item, limits: Limits) -> dict[str, Any]:
    """Return an explanation in the form of ``quickstudy explain --json``, with ids, the picture and its heat map.

    Raises:
        Refused: The input has too many parts.
    """
    if isinstance(item.value, str) and len(item.value) > limits.parts_of:
        raise Refused(413, f"at most {limits.parts_of} characters are allowed in a sentence to explain; shorten it")
    classifier = held.classifier
    why = explain(classifier, item)
    picture = classifier.inputs.picture(item)
    heat = None if picture is None else heat_map(why, picture)
    return {
        "schema": SCHEMA,
        "input": item.name,
        **why.summary(),
        "parts": why.parts,
        "ids": held.ids,
        "picture": _base64(picture),
        "heat": _base64(heat),
    }


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()
