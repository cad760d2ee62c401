"""docs/results.md and its plots, from the committed results: python -m benchmarks.results."""

from benchmarks.results import figures
from benchmarks.results.leaderboard import leaders
from benchmarks.results.page import PAGE, PLOT, page
from benchmarks.results.seeds import REPLICATED
from benchmarks.results.tables import records

PAGE.write_text(page())
figures.reproductions(records("reproduce"), PLOT)
figures.leaderboard(leaders(), PLOT.with_name("leaderboard.png"))
for record in records("matrix"):
    figures.encoders(record, PLOT.with_name("encoders.png"))
figures.sinusoids(records("sinusoid"), REPLICATED, PLOT.with_name("sinusoids.png"))
