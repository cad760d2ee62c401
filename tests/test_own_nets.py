"""Nets that people bring: the table of docs/own-net.md is what is measured."""

from pathlib import Path

import pytest

from tests.own_nets import CASES
from tests.trials import LEARNERS, tried

PAGE = (Path(__file__).parents[1] / "docs" / "own-net.md").read_text("utf-8")
AGAIN = {"first order", "ANIL", "Matching"}
"""Learners that differ little from the others in what they ask of a net."""


@pytest.mark.parametrize(
    "learner", [pytest.param(name, marks=[pytest.mark.slow] if name in AGAIN else []) for name in LEARNERS]
)
@pytest.mark.parametrize("net", CASES)
def test_a_net_and_a_learner_do_what_the_page_says(net, learner):
    [row] = [line for line in PAGE.splitlines() if line.startswith(f"| {net} |")]
    said = dict(zip(LEARNERS, [cell.strip() for cell in row.split("|")[2:-1]], strict=True))
    outcome = tried(net, learner)
    assert outcome.cell == said[learner]
    assert outcome.off < 1e-5
    assert "\n" not in outcome.line
    assert (outcome.cell == "refused") == bool(outcome.line)


def test_every_row_of_the_page_is_tried():
    rows = [line for line in PAGE.splitlines() if line.startswith("| ") and line.count("|") == len(LEARNERS) + 2]
    assert [row.split("|")[1].strip() for row in rows] == ["net", *CASES]
