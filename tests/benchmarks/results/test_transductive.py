"""Sentences about transductive learners follow the record."""

from benchmarks.results.transductive import losses


def row(head, balanced, unbalanced):
    figures = {"balanced": {"mean": balanced}, "unbalanced": {"mean": unbalanced}}
    return {"data": "digits", "n_shot": 1, "head": head, "transductive": head != "Prototypical", **figures}


def test_sentences_about_transductive_learners_follow_the_record():
    rows = [row("Prototypical", 0.8, 0.8), row("TIM", 0.9, 0.75)]
    said = "- TIM: +10.0 to +10.0 points beside Prototypical where queries are balanced, -5.0 to -5.0 where they are"
    assert losses(rows) == f"{said} not.\n"
    rows[1]["unbalanced"]["mean"] = 0.7
    assert "-10.0 to -10.0 where they are not" in losses(rows)
