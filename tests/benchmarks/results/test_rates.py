"""The leaderboard's outer rates, and the sentences about them, are those of the record."""

import pytest

from benchmarks.leaderboard import RATES
from benchmarks.results.tables import records


def test_the_leaderboard_takes_the_rates_that_validation_chose():
    best = {r["algorithm"]: max(r["tries"], key=lambda t: t["mean"])["outer_lr"] for r in records("rates")}
    assert pytest.approx(best) == RATES
