"""The page of results says what the committed results say."""

from benchmarks.results.page import PAGE, PLOT, page


def test_the_page_is_that_of_the_committed_results():
    assert PAGE.read_text() == page(), "run `make results`"
    assert PLOT.exists()
