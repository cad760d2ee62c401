"""The page of results says what the committed results say."""

import json
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKER = ROOT / "benchmarks" / "results.py"

pytestmark = pytest.mark.skipif(not MAKER.exists(), reason="not in a source tree")


def test_the_page_is_that_of_the_committed_results():
    made = runpy.run_path(str(MAKER))
    assert made["PAGE"].read_text() == made["page"](), "run `make results`"
    assert made["PLOT"].exists()


def test_the_leaderboard_takes_the_rates_that_validation_chose():
    tried = {r["algorithm"]: r["tries"] for r in runpy.run_path(str(MAKER))["records"]("rates")}
    taken = runpy.run_path(str(MAKER.with_name("leaderboard.py")))["RATES"]
    best = {name: max(tries, key=lambda t: t["mean"])["outer_lr"] for name, tries in tried.items()}
    assert taken == pytest.approx(best)


def test_sentences_about_transductive_learners_follow_the_record():
    losses = runpy.run_path(str(MAKER.with_name("results_transductive.py")))["losses"]

    def row(head, balanced, unbalanced):
        figures = {"balanced": {"mean": balanced}, "unbalanced": {"mean": unbalanced}}
        return {"data": "digits", "n_shot": 1, "head": head, "transductive": head != "Prototypical", **figures}

    rows = [row("Prototypical", 0.8, 0.8), row("TIM", 0.9, 0.75)]
    said = "- TIM: +10.0 to +10.0 points beside Prototypical where queries are balanced, -5.0 to -5.0 where they are"
    assert losses(rows) == f"{said} not.\n"
    rows[1]["unbalanced"]["mean"] = 0.7
    assert "-10.0 to -10.0 where they are not" in losses(rows)


@pytest.mark.parametrize("name", ["bandits", "mdps"])
def test_the_tables_of_environments_are_those_of_the_committed_results(name):
    path = ROOT / "results" / "rl" / f"{name}.json"
    if not path.exists():
        pytest.skip("not measured")
    table = runpy.run_path(str(MAKER.with_name(f"rl_{name}.py")))["table"](json.loads(path.read_text()))
    assert table in (ROOT / "docs" / "rl.md").read_text()
