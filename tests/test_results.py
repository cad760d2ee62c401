"""The page of results says what the committed results say."""

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
