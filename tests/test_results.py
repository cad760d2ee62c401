"""The page of results says what the committed results say."""

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MAKER = ROOT / "benchmarks" / "results.py"


@pytest.mark.skipif(not MAKER.exists(), reason="not in a source tree")
def test_the_page_is_that_of_the_committed_results():
    made = runpy.run_path(str(MAKER))
    assert made["PAGE"].read_text() == made["page"](), "run `make results`"
    assert made["PLOT"].exists()
