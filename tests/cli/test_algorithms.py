"""``quickstudy algorithms`` lists the learners with their settings and papers."""

import json

from quickstudy.learners import LEARNERS


def test_algorithms_come_with_their_settings_and_papers(cli):
    rows = {row["algorithm"]: row for row in json.loads(cli("algorithms", "--json").out)}
    assert set(rows) == set(LEARNERS)
    assert all(row["what"] and " 20" in row["source"] for row in rows.values())
    assert rows["maml"]["settings"]["inner_steps"] == 1
    shown = cli("algorithms").out
    assert all(name in shown for name in rows)
    assert "…" not in shown
