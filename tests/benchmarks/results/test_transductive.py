"""Sentences about transductive learners follow the record."""

from benchmarks.results.transductive import losses, tasks


def row(head, balanced, unbalanced, n_tasks=600):
    figures = {"balanced": {"mean": balanced}, "unbalanced": {"mean": unbalanced}, "n_tasks": n_tasks}
    return {"data": "digits", "n_shot": 1, "head": head, "transductive": head != "Prototypical", **figures}


def test_sentences_about_transductive_learners_follow_the_record():
    rows = [row("Prototypical", 0.8, 0.8), row("TIM", 0.9, 0.75)]
    said = "- TIM: +10.0 to +10.0 points beside Prototypical where queries are balanced, -5.0 to -5.0 where they are"
    assert losses(rows) == f"{said} not.\n"
    rows[1]["unbalanced"]["mean"] = 0.7
    assert "-10.0 to -10.0 where they are not" in losses(rows)


def test_a_head_is_compared_on_the_same_tasks_and_fewer_tasks_are_said():
    rows = [row("Prototypical", 0.8, 0.8), row("TIM", 0.9, 0.75), row("TIM, by gradient", 0.9, 0.7, 100)]
    letters = [{**r, "data": "letters"} for r in (row("Prototypical", 0.5, 0.5, 100), rows[2])]
    assert tasks(rows[:2]) == "600 tasks"
    assert tasks(rows) == "600 tasks. On digits the first 100 for TIM by gradient"
    assert tasks([*rows[:2], *letters]) == "600 tasks. On letters the first 100"
    said = " ".join(losses([*rows, *letters]).split())
    assert "TIM by gradient: +40.0 to +40.0 points" in said
    assert "+20.0 to +20.0 where they are not (on letters, where both had the same tasks)" in said
