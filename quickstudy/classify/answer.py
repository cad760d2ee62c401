"""Answer of a classifier to one input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Basis = Literal["examples", "calibration"]
"""Basis of guarantees: the classifier's own examples, or the tasks of the learner's calibration."""
SCHEMA = 1
"""Number of the form of the JSON and CSV of ``predict``, ``explain`` and ``check``; see docs/output.md."""
NONE = "none of these"
"""Answer to an out-of-distribution input."""


@dataclass(frozen=True)
class Answer:
    """Answer of a classifier to one input.

    Attributes:
        name: Name of the input.
        label: The most probable label.
        probabilities: Probability of each label.
        members: Conformal set: the labels that include the right one with the requested coverage, likeliest first. It
            always holds the most probable label. None if no coverage was requested.
        unlike: Whether not even the most probable label is likely enough for the set: the input is unlike all
            examples. None if no coverage was requested.
        none: Whether the input is out-of-distribution, so that no label fits. None if ``false_alarms`` was not given.
        rest_on: Basis of coverage and false alarms; None if neither was requested.

    >>> answer = Answer("new1.png", "zero", {"zero": 0.9, "three": 0.1}, none=False)
    >>> answer.word, answer.summary()["confidence"]
    ('zero', 0.9)
    """

    name: str
    label: str
    probabilities: dict[str, float]
    members: list[str] | None = None
    unlike: bool | None = None
    none: bool | None = None
    rest_on: Basis | None = None

    @property
    def word(self) -> str:
        """The label, or "none of these" if no label fits."""
        return NONE if self.none else self.label

    def summary(self) -> dict[str, Any]:
        """Return the answer as plain data; see docs/output.md."""
        return {
            "input": self.name,
            "label": self.word,
            "confidence": self.probabilities[self.label],
            "set": self.members,
            "unlike": self.unlike,
            "none": self.none,
            "rest_on": self.rest_on,
            "probabilities": self.probabilities,
        }
