"""``quickstudy evaluate``."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from quickstudy.cli.options import DataRoot, Json, Out, RunFolder


def evaluate(
    run: RunFolder,
    n_tasks: Annotated[int, typer.Option(help="Number of tasks.")] = 600,
    split: Annotated[str, typer.Option(help="train, validation or test.")] = "test",
    data: Annotated[str | None, typer.Option(help="Another source than the run's: does it generalise?")] = None,
    data_root: DataRoot = None,
    n_way: Annotated[int | None, typer.Option(help="Classes a task; the run's if not given.")] = None,
    n_shot: Annotated[int | None, typer.Option(help="Support examples a class.")] = None,
    n_query: Annotated[int | None, typer.Option(help="Query examples a class.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of the tasks.")] = None,
    test_steps: Annotated[int | None, typer.Option(min=0, help="Inner steps.")] = None,
    transductive: Annotated[
        bool | None, typer.Option("--transductive/--inductive", help="Normalise queries by their own statistics.")
    ] = None,
    rotate: Annotated[bool, typer.Option("--rotate", help="Turn each class of each task at random.")] = False,
    views: Annotated[
        int | None, typer.Option(min=1, help="Average over so many slightly warped copies of each image.")
    ] = None,
    turned: Annotated[
        bool, typer.Option("--turned", help="Average over each image's four quarter turns; for --rotations classes.")
    ] = False,
    challenge: Annotated[
        str | None, typer.Option(help="lake: the 20 one-shot trials of all_runs.zip in --data-root; tells the error.")
    ] = None,
    one_to_one: Annotated[
        bool, typer.Option("--one-to-one", help="Answer knowing that each class occurs as often as others.")
    ] = False,
    out: Out = None,
    json: Json = False,
) -> None:
    """Accuracy of a run on new tasks, with its 95% interval."""
    from quickstudy.cli.output import print_json, write_record
    from quickstudy.runs.evaluation import evaluate_challenge, evaluate_run

    how: dict[str, Any] = {
        "test_steps": test_steps,
        "transductive": transductive,
        "views": views,
        "turned": turned,
        "one_to_one": one_to_one,
    }
    if challenge is not None:
        score = evaluate_challenge(run, challenge, data_root, **how)
    else:
        how |= {"data": data, "data_root": data_root, "n_way": n_way, "n_shot": n_shot, "n_query": n_query}
        score = evaluate_run(run, n_tasks, split, seed=seed, rotate=rotate, **how)
    write_record(score.record, out)
    print_json(score.record) if json else print(score)
